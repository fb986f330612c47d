import { ResetDifference } from '#engine/run/host.js';
import type { Program } from '#engine/run/program.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { noteErrors, type GuestPool, type GuestSlot } from './guest-pool.js';
import { IdleInvocation } from './idle-invocation.js';
import type { Occupant } from './occupant.js';
import { SharedSlotState } from './shared-slot-state.js';
import { SlotState } from './slot-state.js';

/** Slots that are kept in any case when nobody uses them. */
const MIN_IDLE_SLOTS = 8;
/** As many more as were lately in use at a time are kept while all have less memory than this; the rest goes back. */
const MAX_IDLE_BYTES = 64 * 2 ** 20;
/** What was in use at a time is forgotten by half in so many releases. */
const PEAK_HALF_LIFE = 2_000;
const PEAK_DECAY = 0.5 ** (1 / PEAK_HALF_LIFE);
/** Slots are renewed for so long before the thread looks for other work. */
const RENEW_MS = 0.1;

/**
 * Slots of one component, the last used first (its memory is still in the CPU's caches). Each gets a fresh state after each invocation:
 * behind the answer, when the thread has nothing else to do, or else when it is needed.
 */
export class SlotPool implements GuestPool {
  private readonly ready: GuestSlot[] = [];
  private readonly used: GuestSlot[] = [];
  private scheduled = false;
  private closed = false;
  private inUse = 0;
  /** Most that were in use at a time, lately. */
  private peak = 0;
  private readonly idle = new IdleInvocation(null);

  constructor(
    private readonly program: Program<SlotState>,
    private readonly grant: GuestGrant,
    /** CPU time that start code may take. */
    private readonly startCpuNs: bigint,
    readonly onError: (error: unknown) => void,
    /** Whether the slots are for several invocations at a time. */
    private readonly isShared = false,
  ) {}

  /** A slot with a fresh state. Throws what start code throws. */
  acquire(): GuestSlot {
    if (++this.inUse > this.peak) this.peak = this.inUse;
    try {
      return this.take();
    } catch (error) {
      this.inUse--;
      throw error;
    }
  }

  private take(): GuestSlot {
    const ready = this.ready.pop();
    if (ready) return ready;
    const used = this.used.pop();
    return (used && this.renew(used)) ?? this.make(this.idle);
  }

  /** Makes the first slot. Throws what start code throws; `output` gets what it writes. */
  prewarm(output: (stream: 'stdout' | 'stderr' | 'platform', text: string) => void): void {
    const slot = this.make(new IdleInvocation(output));
    slot.state.invocation = this.idle;
    this.ready.push(slot);
  }

  stop(slot: GuestSlot, occupant: Occupant, error: Error): void {
    occupant.endWaits();
    slot.kill(error);
  }

  release(slot: GuestSlot, occupant: Occupant): void {
    occupant.endWaits();
    noteErrors(occupant, slot.state.release(occupant));
    this.takeBack(slot);
  }

  /** A slot that nothing runs in any more. */
  takeBack(slot: GuestSlot): void {
    slot.state.invocation = this.idle;
    this.inUse--;
    this.peak *= PEAK_DECAY;
    if (this.closed || !this.keepsAnother(slot)) return;
    this.used.push(slot);
    this.scheduleRenewal();
  }

  close(): void {
    this.closed = true;
    this.ready.length = 0;
    this.used.length = 0;
  }

  private keepsAnother(slot: GuestSlot): boolean {
    const idle = this.ready.length + this.used.length;
    return idle < MIN_IDLE_SLOTS || (idle + this.inUse < this.peak && (idle + 1) * slot.memoryBytes <= MAX_IDLE_BYTES);
  }

  /** As many as take no time, so that requests that came in meanwhile go first. */
  private renewSome(): void {
    this.scheduled = false;
    const untilMs = performance.now() + RENEW_MS;
    do {
      const slot = this.used.pop();
      if (!slot || this.closed) return;
      const renewed = this.renew(slot);
      if (renewed) this.ready.push(renewed);
    } while (performance.now() < untilMs);
    this.scheduleRenewal();
  }

  private scheduleRenewal(): void {
    if (this.scheduled || this.used.length === 0) return;
    this.scheduled = true;
    setImmediate(() => this.renewSome());
  }

  private renew(slot: GuestSlot): GuestSlot | undefined {
    try {
      slot.reset();
      slot.instantiate(this.startCpuNs);
      return slot;
    } catch (error) {
      // Those that are ready were reset by the way that does not hold.
      if (error instanceof ResetDifference) this.ready.length = 0;
      this.onError(error);
      return undefined;
    }
  }

  private make(invocation: IdleInvocation): GuestSlot {
    const slot = this.program.newSlot(new (this.isShared ? SharedSlotState : SlotState)(this.grant, invocation));
    slot.instantiate(this.startCpuNs);
    return slot;
  }
}
