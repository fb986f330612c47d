import { PAGE_BYTES, type Plan } from '#engine/plan.js';
import { type GuestMemory, MAX_REUSED_BYTES, type MemorySnapshot } from './guest-memory.js';

/**
 * How slots are made fresh, the cheapest way that holds: `in-place`, memory and globals are put back and the instances stay;
 * `new-instances`, the memory is zeroed and everything instantiated anew; `new-memory`, that too is new.
 */
export interface ResetMode {
  mode: 'in-place' | 'new-instances' | 'new-memory';
  /** Why it is not the better one. With `in-place`: why the whole memory is put back and not what was written. */
  reason?: string;
  /** Only what was written is put back. */
  cards: boolean;
}

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
  private refusal: string | null;
  private unmarked: string | null = null;
  private readonly isLarge: boolean;
  private snapshot: Snapshot | null = null;
  private resets = 0;

  /** `verifyEvery`: after so many resets in place everything is compared; 0: never. */
  constructor(plan: Plan, private readonly verifyEvery: number) {
    const used = plan.steps.map(({ module }) => plan.modules[module]);
    this.cards = used.every(({ cards }) => cards);
    this.isLarge = used.some(({ memory }) => memory !== null && memory.minPages * PAGE_BYTES > MAX_REUSED_BYTES);
    this.refusal = null;
    plan.steps.forEach(({ module }) => {
      const { reset } = plan.modules[module];
      if (!reset.inPlace) this.refusal ??= `core module ${module}: ${reset.reason}`;
      else if (reset.unmarked !== undefined) this.unmarked ??= `core module ${module} has ${reset.unmarked}`;
    });
    if (!this.cards && this.isLarge) this.refusal ??= this.unmarked ?? 'the memory is too large to be put back as a whole';
  }

  get inPlace(): boolean {
    return this.refusal === null;
  }

  get mode(): ResetMode {
    const { cards, refusal } = this;
    if (refusal === null) return { mode: 'in-place', cards, ...(this.unmarked === null ? {} : { reason: this.unmarked }) };
    return { mode: this.isLarge ? 'new-memory' : 'new-instances', reason: refusal, cards: false };
  }

  /** From now on all slots get new instances. */
  forbid(reason: string): void {
    this.refusal ??= reason;
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
   * Puts memories and globals back; false when new instances are needed. Throws Error when the check mode finds a difference: no slot
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
    throw new Error(`the reset in place left ${found} changed; the program gets new instances from now on`);
  }
}
