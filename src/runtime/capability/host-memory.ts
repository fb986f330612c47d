import { LimitTrap } from '#engine/run/host.js';

/** What V8 and the allocator add to bytes, or to a text, that are kept apart: measured 200 to 380 for short ones. */
export const PIECE_BYTES = 256;

/** What the invocations of one component hold in this process together. */
export class HostMemoryTotal {
  bytes = 0;

  constructor(readonly maxBytes: number) {}
}

/**
 * Memory outside of a guest that is held for its sake: fields, bodies that are not sent yet, responses that it does not read. One account
 * for each invocation; whoever keeps something says so, and says when it is gone. What is left goes with the invocation.
 */
export class HostMemory {
  private bytes = 0;
  private closed = false;

  constructor(private readonly maxBytes: number, private readonly total: HostMemoryTotal | null = null) {}

  get heldBytes(): number {
    return this.bytes;
  }

  /** How much more may be held. */
  get freeBytes(): number {
    const own = this.maxBytes - this.bytes;
    return Math.max(0, this.total ? Math.min(own, this.total.maxBytes - this.total.bytes) : own);
  }

  /** For what the guest itself adds, in a call of its own. Throws a LimitTrap when that is too much. */
  take(bytes: number): void {
    this.add(bytes);
    this.check();
  }

  /** For what comes while the guest does not run: nobody could be told. Its next call that adds something ends it. */
  add(bytes: number): void {
    if (this.closed) return;
    this.bytes += bytes;
    if (this.total) this.total.bytes += bytes;
  }

  /** In a call of the guest's. Throws a LimitTrap when too much is held. */
  check(): void {
    if (this.bytes > this.maxBytes) throw new LimitTrap('host-memory', `the platform holds more than ${this.maxBytes} bytes for the invocation: fields, bodies, responses that are not read`);
    const { total } = this;
    if (total && total.bytes > total.maxBytes) throw new LimitTrap('host-memory', `the platform holds more than ${total.maxBytes} bytes for all invocations of the component in this runner`);
  }

  give(bytes: number): void {
    this.add(-bytes);
  }

  /** The invocation is over: what it left behind is garbage, and says nothing any more. */
  close(): void {
    this.give(this.bytes);
    this.closed = true;
  }
}
