import { CARD_BYTES_SHIFT, CARD_EDGE_BYTES, MAX_REUSED_BYTES, PAGE_BYTES } from '#engine/plan.js';
import { CardMemory } from './card-memory.js';
import { type Restore, restoreFunction } from './card-sweep.js';

/** A memory that grew by more than this is not kept: it would hold the pages of its largest guest for ever. */
const MAX_KEPT_GROWTH_BYTES = 16 * 2 ** 20;
/** The size of what is swept is a 32-bit number. */
const MAX_SWEPT_BYTES = 2 ** 32 - PAGE_BYTES;
const BLOCK_BYTES = 4096;
const CARD_BYTES = 2 ** CARD_BYTES_SHIFT;

/** A memory after the start functions. */
export interface MemorySnapshot {
  memory: WebAssembly.Memory;
  /** Of the memory. */
  bytes: Buffer;
  /** What start functions wrote; null without cards. */
  marks: Uint8Array | null;
}

/** The own memory of one core instance. */
export class GuestMemory {
  memory: WebAssembly.Memory;
  readonly cards: CardMemory | null;
  /** Puts back what was marked, of this memory and the program's one snapshot. */
  private sweep: Restore | null = null;

  constructor(private readonly minPages: number, private readonly maxPages: number, cards: boolean) {
    this.cards = cards ? new CardMemory(maxPages) : null;
    this.memory = this.make();
    if (this.cards) this.cards.guestPages = minPages;
  }

  /** What the guest takes for its size. */
  get byteLength(): number {
    return this.cards ? this.cards.guestPages * PAGE_BYTES : this.memory.buffer.byteLength;
  }

  /** All zero and of the first size, for new instances. */
  renew(): void {
    const size = this.minPages * PAGE_BYTES;
    if (this.memory.buffer.byteLength === size && size <= MAX_REUSED_BYTES) new Uint8Array(this.memory.buffer).fill(0);
    else this.replace();
    if (!this.cards) return;
    this.cards.clear();
    this.cards.guestPages = this.minPages;
  }

  /** Remembers the state that is; marks begin anew. */
  snapshot(): MemorySnapshot {
    const { byteLength } = this;
    const now = Buffer.from(this.memory.buffer as ArrayBuffer, 0, byteLength);
    // pages that are not written stay without memory behind them
    const memory = new WebAssembly.Memory({ initial: byteLength / PAGE_BYTES });
    const bytes = Buffer.from(memory.buffer as ArrayBuffer);
    for (let at = 0; at < byteLength; at += BLOCK_BYTES) {
      if (now.compare(ZEROS, 0, BLOCK_BYTES, at, at + BLOCK_BYTES) !== 0) now.copy(bytes, at, at, at + BLOCK_BYTES);
    }
    const marks = this.cards && this.cards.copy(byteLength);
    this.cards?.clear();
    return { memory, bytes, marks };
  }

  /**
   * Whether new instances came to just the state of the snapshot. With cards only what start functions wrote is looked at: what data
   * segments put there is the same each time. Marks begin anew.
   */
  startsAs(snapshot: MemorySnapshot): boolean {
    const { cards, byteLength } = this;
    if (byteLength !== snapshot.bytes.length) return false;
    if (!cards) return this.difference(snapshot) === null;
    const marks = cards.copy(byteLength);
    cards.clear();
    const now = Buffer.from(this.memory.buffer as ArrayBuffer);
    const isSame = (mark: number, card: number): boolean => {
      const from = card * CARD_BYTES;
      const to = Math.min(from + CARD_BYTES + CARD_EDGE_BYTES, byteLength);
      return mark === 0 || now.compare(snapshot.bytes, from, to, from, to) === 0;
    };
    return Buffer.compare(marks, snapshot.marks!) === 0 && marks.every(isSame);
  }

  /** Makes the memory what it was; false when it cannot, and must be made anew. */
  restore({ memory, bytes }: MemorySnapshot): boolean {
    const { cards } = this;
    const { buffer } = this.memory;
    const { length } = bytes;
    if (!cards) {
      if (buffer.byteLength !== length || length > MAX_REUSED_BYTES) return false;
      new Uint8Array(buffer).set(bytes);
      return true;
    }
    if (buffer.byteLength > Math.min(length + MAX_KEPT_GROWTH_BYTES, MAX_SWEPT_BYTES)) return false;
    this.sweep ??= restoreFunction(this.memory, memory, cards.memory);
    this.sweep(buffer.byteLength, length);
    cards.guestPages = length / PAGE_BYTES;
    return true;
  }

  /** The first byte that is not as in the snapshot, compared over the whole memory; null when there is none. */
  difference({ bytes }: MemorySnapshot): number | null {
    const now = Buffer.from(this.memory.buffer as ArrayBuffer);
    if (this.byteLength !== bytes.length) return Math.min(this.byteLength, bytes.length);
    for (let at = 0; at < now.length; at += BLOCK_BYTES) {
      const [expected, from] = at < bytes.length ? [bytes, at] : [ZEROS, 0];
      if (now.compare(expected, from, from + BLOCK_BYTES, at, at + BLOCK_BYTES) === 0) continue;
      for (let i = 0; i < BLOCK_BYTES; i++) if (now[at + i] !== expected[from + i]) return at + i;
    }
    return null;
  }

  private replace(): void {
    this.memory = this.make();
    this.sweep = null;
  }

  private make(): WebAssembly.Memory {
    return new WebAssembly.Memory({ initial: this.minPages, maximum: this.maxPages });
  }
}

const ZEROS = Buffer.alloc(BLOCK_BYTES);
