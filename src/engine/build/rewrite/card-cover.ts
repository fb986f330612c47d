import { CARD_BYTES_SHIFT, CARD_EDGE_BYTES } from '#engine/plan.js';

/** More are not kept; the oldest go. */
const MAX_MARKS = 64;
/** The widest store. */
const MAX_STORE_BYTES = 16;
/** What begins so far behind a marked place is put back with its card. */
const REACH_BYTES = CARD_EDGE_BYTES - MAX_STORE_BYTES;
const CARD_BYTES = 2 ** CARD_BYTES_SHIFT;

/** The offset whose card is marked for a store at this one. */
export function windowOf(offset: number): number {
  return offset - (offset % REACH_BYTES);
}

/**
 * The cards that are marked for sure where the walk over the code stands. A place is a number that stands for a value (operand-trace.ts)
 * and a distance from it; a card stays marked as long as the instance runs.
 *
 * Proof that a store may go without a mark of its own: a mark for another store, at `marked`, stands in the same block or in one that is
 * still open, so every way to here leads over it, and the value that both are counted from is the same. That other store did not trap,
 * so `marked` is an address of the memory. With `far` = the distance of the places modulo 2^32 and the store within the memory, the store
 * begins at `marked + far` modulo 2^32; `far` is at most `REACH_BYTES`, so that is `marked + far` itself, as long as the memory ends
 * before 2^32 - 2^16, which holds where cards are swept (guest-memory.ts). The widest store there ends within the edge that is put back
 * behind the card of `marked`.
 */
export class CardCover {
  private readonly values = new Int32Array(MAX_MARKS);
  private readonly places = new Int32Array(MAX_MARKS);
  private readonly reaches = new Int32Array(MAX_MARKS);
  private readonly depths = new Int32Array(MAX_MARKS);
  private length = 0;

  reset(): void {
    this.length = 0;
  }

  /** A store at this place is marked already. */
  has(value: number, place: number): boolean {
    for (let i = this.length - 1; i >= 0; i--) {
      if (this.values[i] === value && (place - this.places[i]!) >>> 0 <= this.reaches[i]!) return true;
    }
    return false;
  }

  /** The mark for a store at this place and the address itself, at a depth of blocks. */
  add(value: number, place: number, depth: number): void {
    this.put(value, place, REACH_BYTES, depth);
  }

  /** The same for an address that is known: all of its card is marked. */
  addCard(value: number, address: number, depth: number): void {
    this.put(value, address & -CARD_BYTES, CARD_BYTES - 1 + REACH_BYTES, depth);
  }

  /** Blocks deeper than this have ended: control may have come round their marks. */
  leave(depth: number): void {
    while (this.length > 0 && this.depths[this.length - 1]! > depth) this.length--;
  }

  private put(value: number, place: number, reach: number, depth: number): void {
    if (this.length === MAX_MARKS) this.forgetOldest();
    const i = this.length++;
    this.values[i] = value;
    this.places[i] = place;
    this.reaches[i] = reach;
    this.depths[i] = depth;
  }

  private forgetOldest(): void {
    const half = MAX_MARKS / 2;
    for (const list of [this.values, this.places, this.reaches, this.depths]) list.copyWithin(0, half);
    this.length = half;
  }
}
