import { CARD_BYTES_SHIFT, CARD_EDGE_BYTES, cardMemoryPages, CARDS_OFFSET, PAGE_BYTES } from '#engine/plan.js';

const CARD_BYTES = 1 << CARD_BYTES_SHIFT;
const CARDS_PER_PAGE = PAGE_BYTES / CARD_BYTES;
const CARDS_PER_WORD = 4;

/** Which parts of one guest memory were written since it was last put back, and the size that its guest takes it to have. */
export class CardMemory {
  readonly memory: WebAssembly.Memory;
  /** A byte for each 4 KiB; the guest's code sets them too. */
  readonly marks: Uint8Array;
  private readonly words: Int32Array;
  private readonly size: Uint32Array;

  constructor(maxPages: number) {
    const pages = cardMemoryPages(maxPages);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { buffer } = this.memory;
    this.marks = new Uint8Array(buffer, CARDS_OFFSET);
    this.words = new Int32Array(buffer, CARDS_OFFSET);
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
    return this.marks.slice(0, memoryBytes >>> CARD_BYTES_SHIFT);
  }

  clear(): void {
    this.marks.fill(0);
  }

  /** Clears the marks of a memory of so many bytes and gives each run of bytes that may have been written. */
  sweep(memoryBytes: number, written: (from: number, to: number) => void): void {
    const { marks, words } = this;
    const cards = (memoryBytes / PAGE_BYTES) * CARDS_PER_PAGE;
    const last = cards / CARDS_PER_WORD;
    for (let word = 0; word < last; word++) {
      if (words[word] === 0) continue;
      let card = word * CARDS_PER_WORD;
      while (marks[card] === 0) card++;
      const first = card;
      while (card < cards && marks[card] !== 0) marks[card++] = 0;
      written(first * CARD_BYTES, Math.min(card * CARD_BYTES + CARD_EDGE_BYTES, memoryBytes));
      // the word in which the run ended may hold the begin of another
      word = Math.max(word, Math.floor(card / CARDS_PER_WORD)) - 1;
    }
  }
}

/** Marks what the host writes. */
export function markCards(marks: Uint8Array, ptr: number, byteLength: number): void {
  if (byteLength === 0) return;
  const last = (ptr + byteLength - 1) >>> CARD_BYTES_SHIFT;
  for (let card = ptr >>> CARD_BYTES_SHIFT; card <= last; card++) marks[card] = 1;
}
