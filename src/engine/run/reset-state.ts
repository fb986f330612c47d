import { newStateOf, type Plan, type ResetMode, resetModeOf } from '#engine/plan.js';
import type { GuestMemory, MemorySnapshot } from './guest-memory.js';
import { ResetDifference } from './host.js';

/** The state that a reset in place goes back to. */
interface Snapshot {
  memories: (MemorySnapshot | null)[];
  globals: unknown[];
}

/** The state of core instances, as a reset sees it. */
export interface Resettable {
  readonly memories: readonly (GuestMemory | null)[];
  readonly globals: readonly WebAssembly.Global[];
}

/** What the slots of one program know about resetting: whether it may be done in place, and the state to go back to. */
export class ResetState {
  /** Each memory has a card memory. */
  readonly cards: boolean;
  private current: ResetMode;
  private readonly fallback: ResetMode['mode'];
  private snapshot: Snapshot | null = null;
  private resets = 0;

  /** `verifyEvery`: after so many resets in place everything is compared; 0: never. */
  constructor(plan: Plan, private readonly verifyEvery: number) {
    this.cards = plan.steps.every(({ module }) => plan.modules[module].cards);
    this.current = resetModeOf(plan);
    this.fallback = newStateOf(plan);
  }

  get inPlace(): boolean {
    return this.current.mode === 'in-place';
  }

  get mode(): ResetMode {
    return this.current;
  }

  /** From now on all slots get new instances. */
  forbid(reason: string): void {
    if (this.inPlace) this.current = { mode: this.fallback, reason, cards: false };
    this.snapshot = null;
  }

  /**
   * Whether these new instances, whose start functions have run, can be reset in place. The first ones are the snapshot; others must
   * have come to the same state, else a reset would mix two.
   */
  admit({ memories, globals }: Resettable): boolean {
    if (!this.inPlace) return false;
    const { snapshot } = this;
    if (!snapshot) {
      this.snapshot = { memories: memories.map((memory) => memory && memory.snapshot()), globals: globals.map(({ value }) => value as unknown) };
      return true;
    }
    const sameMemories = memories.map((memory, i) => memory === null || memory.startsAs(snapshot.memories[i]!));
    return sameMemories.every(Boolean) && globals.every(({ value }, i) => Object.is(value, snapshot.globals[i]));
  }

  /**
   * Puts memories and globals back; false when new instances are needed. Throws ResetDifference when the check mode finds a difference: no slot
   * of the program is reset in place from then on.
   */
  restore(state: Resettable): boolean {
    const { snapshot } = this;
    if (!snapshot) return false;
    const { memories, globals } = state;
    for (let i = 0; i < memories.length; i++) {
      if (memories[i] && !memories[i]!.restore(snapshot.memories[i]!)) return false;
    }
    for (let i = 0; i < globals.length; i++) globals[i].value = snapshot.globals[i];
    if (this.verifyEvery > 0 && ++this.resets % this.verifyEvery === 0) this.verify(state);
    return true;
  }

  /** What differs from the snapshot, as a sentence's subject; null: nothing, or there is no snapshot. */
  difference({ memories, globals }: Resettable): string | null {
    const { snapshot } = this;
    if (!snapshot) return null;
    for (let i = 0; i < memories.length; i++) {
      const at = memories[i]?.difference(snapshot.memories[i]!) ?? null;
      if (at !== null) return `byte ${at} of the memory of core instance ${i}`;
    }
    const at = globals.findIndex(({ value }, i) => !Object.is(value, snapshot.globals[i]));
    return at < 0 ? null : `mutable global ${at}`;
  }

  private verify(state: Resettable): void {
    const found = this.difference(state);
    if (found === null) return;
    this.forbid(`a check found ${found} changed after a reset`);
    throw new ResetDifference(`the reset in place left ${found} changed; the program gets new instances from now on`);
  }
}
