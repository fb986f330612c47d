import { open, type FileHandle } from 'node:fs/promises';
import type { JournalEntry } from '#contract/journal.js';
import { parseJournalLines } from './journal-line.js';

/** A batch is at most this much: small enough for one request, large enough to catch up quickly. */
const MAX_BATCH_ENTRIES = 1_000;
const MAX_BATCH_BYTES = 512 * 1024;

/** Reads one journal file in order, batch by batch. The file may still grow. */
export class JournalReader {
  private offset = 0;
  private file: FileHandle | undefined;
  /** True once a damaged line was met: nothing behind it is read. */
  corrupt = false;

  constructor(private readonly path: string) {}

  /** The next complete entries; none when there are no more for now. They stay the next ones until `advance`. */
  async peek(): Promise<{ entries: JournalEntry[]; bytes: number }> {
    if (this.corrupt) return { entries: [], bytes: 0 };
    this.file ??= await open(this.path, 'r');
    let length = MAX_BATCH_BYTES;
    for (;;) {
      const buffer = Buffer.allocUnsafe(length);
      const { bytesRead } = await this.file.read(buffer, 0, length, this.offset);
      const parsed = parseJournalLines(buffer.subarray(0, bytesRead), MAX_BATCH_ENTRIES);
      if (parsed.corrupt && parsed.entries.length === 0) this.corrupt = true;
      // One line longer than the buffer: read again with more room.
      const tooLong = parsed.entries.length === 0 && !parsed.corrupt && bytesRead === length;
      if (!tooLong) return parsed;
      length *= 2;
    }
  }

  advance(bytes: number): void {
    this.offset += bytes;
  }

  /** Bytes not yet advanced over, an incomplete last line included. */
  async remainingBytes(): Promise<number> {
    this.file ??= await open(this.path, 'r');
    return (await this.file.stat()).size - this.offset;
  }

  rewind(): void {
    this.offset = 0;
    this.corrupt = false;
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }
}
