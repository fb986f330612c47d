import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalBatch, JournalReceipt } from '#contract/journal.js';
import type { Log } from '#platform/log.js';
import { parseJournalFile, toJournalFile, toJournalId } from './journal-name.js';
import { JournalReader } from './journal-reader.js';

export interface ShipperOptions {
  dir: string;
  /** Hands a batch to the control plane; an empty one asks for the next sequence number. Throws when it was not taken. */
  send(batch: JournalBatch): Promise<JournalReceipt>;
  /** Whether the runner with this writer name may still append. */
  isWriting(writer: string): boolean;
  log: Log;
}

const POLL_MS = 100;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;

interface OpenJournal {
  reader: JournalReader;
  /** What the control plane wants next; unknown before the first answer. */
  nextSeq: number | undefined;
}

/**
 * Ships journals in order, each entry until it is acknowledged, and deletes those that are shipped to the end and will not grow.
 * It keeps no position on disk: after a start it asks the control plane where it stands.
 */
export class JournalShipper {
  private readonly journals = new Map<string, OpenJournal>();

  constructor(private readonly options: ShipperOptions) {}

  /** Ships until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      let waitMs = POLL_MS;
      try {
        await this.pass();
        retryMs = RETRY_MIN_MS;
      } catch (error) {
        this.options.log.debug('journals not shipped, will try again', { error });
        waitMs = retryMs;
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
      }
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Ships everything that is there now. Throws on the first batch that is not taken. */
  async pass(): Promise<void> {
    const files = (await readdir(this.options.dir)).filter((file) => parseJournalFile(file)).toSorted();
    const present = new Set(files);
    for (const file of files) {
      await this.ship(file);
      if (this.isFinished(file, present)) await this.retire(file);
    }
  }

  /** Bytes of all journals that are not shipped. */
  async remainingBytes(): Promise<number> {
    let sum = 0;
    for (const file of (await readdir(this.options.dir)).filter((name) => parseJournalFile(name))) {
      sum += (await this.journals.get(file)?.reader.remainingBytes()) ?? (await stat(join(this.options.dir, file))).size;
    }
    return sum;
  }

  async close(): Promise<void> {
    for (const { reader } of this.journals.values()) await reader.close();
    this.journals.clear();
  }

  private async ship(file: string): Promise<void> {
    const journal = toJournalId(file);
    let open = this.journals.get(file);
    if (!open) this.journals.set(file, (open = { reader: new JournalReader(join(this.options.dir, file)), nextSeq: undefined }));
    for (;;) {
      const { entries, bytes } = await open.reader.peek();
      if (entries.length === 0) return;
      open.nextSeq ??= (await this.options.send({ journal, entries: [] })).nextSeq;
      const wanted = entries.filter(({ seq }) => seq >= open.nextSeq!);
      if (wanted.length > 0) open.nextSeq = (await this.options.send({ journal, entries: wanted })).nextSeq;
      const first = entries[0]!.seq;
      if (open.nextSeq < first && first > 1) {
        // The control plane has forgotten entries (a restored backup): begin again with what is still here.
        open.reader.rewind();
        continue;
      }
      const last = entries.at(-1)!.seq;
      if (open.nextSeq <= last) throw new Error(`journal ${journal}: ${last} was sent, the control plane wants ${open.nextSeq}`);
      open.reader.advance(bytes);
    }
  }

  private isFinished(file: string, present: ReadonlySet<string>): boolean {
    const { writer, part } = parseJournalFile(file)!;
    return present.has(toJournalFile({ writer, part: part + 1 })) || !this.options.isWriting(writer);
  }

  /** What is left of a journal that does not grow is a line cut off by a crash. */
  private async retire(file: string): Promise<void> {
    const open = this.journals.get(file);
    const remaining = await open?.reader.remainingBytes();
    if (remaining) {
      const { entries } = await open!.reader.peek();
      // Lines came in between the last look and the writer's end.
      if (entries.length > 0) return;
      this.options.log.warn('a journal ends in a damaged line', { journal: toJournalId(file), bytes: remaining });
    }
    await open?.reader.close();
    this.journals.delete(file);
    await unlink(join(this.options.dir, file));
  }
}
