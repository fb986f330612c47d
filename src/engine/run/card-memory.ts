import { CARD_BYTES_SHIFT, cardMemoryPages, CARDS_OFFSET } from '#engine/plan.js';

/** Which parts of one guest memory were written since it was last put back, and the size that its guest takes it to have. */
export class CardMemory {
  readonly memory: WebAssembly.Memory;
  /** A byte for each `2 ** CARD_BYTES_SHIFT`; the guest's code sets them too. */
  readonly marks: Uint8Array;
  private readonly size: Uint32Array;

  constructor(maxPages: number) {
    const pages = cardMemoryPages(maxPages);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { buffer } = this.memory;
    this.marks = new Uint8Array(buffer, CARDS_OFFSET);
    this.size = new Uint32Array(buffer, 0, 1);
  }

  get guestPages(): number {
    return this.size[0];
  }

  set guestPages(pages: number) {
    this.size[0] = pages;
  }

  /** The marks as they are, for a memory of so many bytes. */
  copy(memoryBytes: number): Uint8Array {
    return this.marks.slice(0, memoryBytes / 2 ** CARD_BYTES_SHIFT);
  }

  clear(): void {
    this.marks.fill(0);
  }
}

/** Marks what the host writes. */
export function markCards(marks: Uint8Array, ptr: number, byteLength: number): void {
  if (byteLength === 0) return;
  const last = (ptr + byteLength - 1) >>> CARD_BYTES_SHIFT;
  for (let card = ptr >>> CARD_BYTES_SHIFT; card <= last; card++) marks[card] = 1;
}
