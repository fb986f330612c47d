import { Injectable } from '@nestjs/common';
import type { JournalBatch, JournalEntry, JournalReceipt, LogRecord, UsageRecord } from '#contract/journal.js';
import { Log } from '#platform/log.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { type AppIdentity, identify, rollUp, rollUpLimits, storable, takeContiguous } from './journal-batch.js';
import { JournalRepository } from './journal.repository.js';

@Injectable()
export class JournalService {
  constructor(
    private readonly repository: JournalRepository,
    private readonly prisma: PrismaService,
    private readonly log: Log,
  ) {}

  /**
   * Takes each entry of a node's journal once: cursor, sums and lines change in one transaction. Entries that were taken before are
   * passed over, and so is what follows a gap; the receipt says what to send next.
   */
  async take(node: string, { journal, entries }: JournalBatch): Promise<JournalReceipt> {
    return this.prisma.transaction(async (db) => {
      const expected = await this.repository.lockCursor(db, node, journal);
      const { taken, nextSeq } = takeContiguous(entries, expected);
      if (taken.length > 0) {
        await this.store(db, node, taken);
        await this.repository.moveCursor(db, node, journal, nextSeq);
      }
      return { nextSeq };
    });
  }

  private async store(db: Db, node: string, entries: JournalEntry[]): Promise<void> {
    const records = entries.map((entry) => storable(entry.record));
    const identities = await this.repository.identitiesOf(db, [...new Set(records.map((record) => record.app))]);
    const usage: { record: UsageRecord; identity: AppIdentity }[] = [];
    const lines: { record: LogRecord; appId: string }[] = [];
    for (const record of records) {
      const identity = identify(record, identities);
      if (!identity) this.log.warn('a record of an app that never was', { node, record });
      else if (record.kind === 'usage') usage.push({ record, identity });
      else lines.push({ record, appId: identity.id });
    }
    await this.repository.addUsage(db, node, rollUp(usage));
    await this.repository.addLimits(db, node, rollUpLimits(usage));
    await this.repository.addLines(db, lines);
  }
}
