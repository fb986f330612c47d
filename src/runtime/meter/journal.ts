import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { JournalRecord } from '#contract/journal.js';
import { toJournalLine } from './journal-line.js';
import { toJournalFile } from './journal-name.js';

export interface JournalOptions {
  dir: string;
  /** `<incarnation>-<runner>`: unique for all time on this node. */
  writer: string;
  /** A part that has grown past this is closed and the next one begun, so that shipped ones can be deleted. */
  maxPartBytes?: number;
  /** Told when the disk refuses a write (the lines are kept and written with the next ones) and when records had to be dropped. */
  onError(error: Error): void;
}

const MAX_PART_BYTES = 8 * 1024 * 1024;
/** Beyond this, records that the disk does not take are dropped: a full disk must not become a full memory. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

/**
 * The append-only journal of one runner. A write is synchronous: when `append` returns, the lines are the kernel's and outlive this
 * process, however it ends.
 */
export class Journal {
  private part = 1;
  private seq = 0;
  private partBytes = 0;
  private fd: number;
  private backlog: Buffer = Buffer.alloc(0);

  /** Creates the first part. Throws when the folder cannot be written. */
  constructor(private readonly options: JournalOptions) {
    this.fd = this.open(this.part);
  }

  append(records: readonly JournalRecord[]): void {
    if (this.backlog.length > MAX_BACKLOG_BYTES) {
      this.write();
      // Dropped before they have numbers, so that the reader never sees a gap.
      if (this.backlog.length > MAX_BACKLOG_BYTES) return this.options.onError(new Error(`${records.length} records dropped`));
    }
    if (this.backlog.length === 0 && this.partBytes >= (this.options.maxPartBytes ?? MAX_PART_BYTES)) this.turn();
    let text = '';
    for (const record of records) text += toJournalLine({ seq: ++this.seq, record });
    const lines = Buffer.from(text);
    this.backlog = this.backlog.length === 0 ? lines : Buffer.concat([this.backlog, lines]);
    this.write();
  }

  close(): void {
    closeSync(this.fd);
  }

  private write(): void {
    try {
      // A write may take less than all of it: what is left stays in the backlog, so that no line is begun twice.
      while (this.backlog.length > 0) {
        const written = writeSync(this.fd, this.backlog);
        this.partBytes += written;
        this.backlog = this.backlog.subarray(written);
      }
    } catch (error) {
      this.options.onError(error as Error);
    }
  }

  /** Begins the next part, with sequence numbers of its own. */
  private turn(): void {
    try {
      const next = this.open(this.part + 1);
      closeSync(this.fd);
      this.fd = next;
      this.part++;
      this.seq = 0;
      this.partBytes = 0;
    } catch (error) {
      this.options.onError(error as Error);
    }
  }

  private open(part: number): number {
    return openSync(join(this.options.dir, toJournalFile({ writer: this.options.writer, part })), 'ax', 0o600);
  }
}
