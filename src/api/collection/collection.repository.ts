import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { CollectionReport } from '#contract/collection.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, notify, PrismaService } from '#platform/prisma/prisma.service.js';
import { withSessionLock } from '#platform/prisma/session-lock.js';
import { collectionTopic } from '../topics.js';

/** Of the advisory lock that the one who collects holds. */
const COLLECTOR_LOCK_KEY = 72707372;
const GONE = { code: 'INTERNAL', message: 'the control plane that ran it has ended' };

export interface CollectionRecord {
  id: string;
  state: string;
  dryRun: boolean;
  requestedBy: string;
  startedAt: Date;
  endedAt: Date | null;
  report: CollectionReport | null;
  failure: { code: string; message: string } | null;
}

type Outcome = Pick<CollectionRecord, 'report' | 'failure'>;

@Injectable()
export class CollectionRepository {
  constructor(
    private readonly prisma: PrismaService,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** Runs `work` unless somebody in the fleet collects now: then undefined. The signal aborts when the right to do so is lost. */
  async alone<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    return withSessionLock(this.config.DATABASE_URL, COLLECTOR_LOCK_KEY, work);
  }

  /**
   * Notes one that begins, together with what `noted` notes of it; to be called by the only one who collects: what was running before has
   * ended without a word.
   */
  async begin(dryRun: boolean, requestedBy: string, noted: (db: Db, record: CollectionRecord) => Promise<unknown>): Promise<CollectionRecord> {
    return this.prisma.transaction(async (db) => {
      await db.collection.updateMany({ where: { state: 'running' }, data: { state: 'failed', endedAt: new Date(), failure: GONE } });
      const record = (await db.collection.create({ data: { id: randomUUID(), dryRun, requestedBy } })) as unknown as CollectionRecord;
      await noted(db, record);
      return record;
    });
  }

  async end(id: string, { report, failure }: Outcome): Promise<void> {
    await this.prisma.transaction(async (db) => {
      await db.collection.update({ where: { id }, data: { state: failure ? 'failed' : 'done', endedAt: new Date(), ...(report && { report }), ...(failure && { failure }) } });
      await notify(db, collectionTopic(id));
    });
  }

  /** Whether none was begun so long, and there is something that is older than the grace time. */
  async isDue(everyMs: number, graceMs: number): Promise<boolean> {
    const ago = (ms: number): Prisma.Sql => Prisma.sql`now() - ${ms}::float8 * interval '1 millisecond'`;
    const [row] = await this.prisma.$queryRaw<{ due: boolean }[]>`
      SELECT NOT EXISTS (SELECT FROM collection WHERE NOT dry_run AND started_at > ${ago(everyMs)}) AND (
        EXISTS (SELECT FROM version WHERE created_at < ${ago(graceMs)}) OR EXISTS (SELECT FROM repository WHERE created_at < ${ago(graceMs)})) AS due`;
    return row!.due;
  }

  async find(id: string): Promise<CollectionRecord | undefined> {
    return ((await this.prisma.collection.findUnique({ where: { id } })) ?? undefined) as CollectionRecord | undefined;
  }

  /** Newest first, begun before `before`. */
  async list(before: Date | undefined, limit: number): Promise<CollectionRecord[]> {
    return (await this.prisma.collection.findMany({ where: before ? { startedAt: { lt: before } } : {}, orderBy: { startedAt: 'desc' }, take: limit })) as unknown as CollectionRecord[];
  }

  async removeBefore(date: Date): Promise<number> {
    return (await this.prisma.collection.deleteMany({ where: { startedAt: { lt: date } } })).count;
  }
}
