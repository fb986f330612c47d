import { Injectable } from '@nestjs/common';
import { LockedApp } from '#contract/bundle/locked-app.js';
import type { ShadowReport } from '#contract/shadow.js';
import type { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { Interval, Sample } from './analysis/interval.js';
import { AnalysisState } from './analysis/state.js';
import type { ShadowRecord } from './shadow/shadow-record.js';

/** A channel by its names, and what one node says of it. */
export interface ReportedChannel {
  app: string;
  channel: string;
  samples: readonly Sample[];
  shadow?: ShadowReport;
}

/** One interval of one node, with what it says of copies. */
export type ReportedInterval = Interval & { shadow: ShadowReport | null };

/** What nodes report of versions under comparison, and what was made of it. */
@Injectable()
export class JudgementRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Keeps a report until it is judged, once; of channels without a rollout nothing. */
  async keep(source: string, seq: number, channels: readonly ReportedChannel[]): Promise<void> {
    const columns = [
      channels.map(({ app }) => app), channels.map(({ channel }) => channel), channels.map(({ samples }) => JSON.stringify(samples)),
      channels.map(({ shadow }) => (shadow ? JSON.stringify(shadow) : null)),
    ] as const;
    await this.prisma.$executeRaw`
      INSERT INTO rollout_interval (channel_id, source, seq, samples, shadow, taken_at)
      SELECT c.id, ${source}, ${seq}, k.samples::json, k.shadow::json, clock_timestamp()
      FROM unnest(${columns[0]}::text[], ${columns[1]}::text[], ${columns[2]}::text[], ${columns[3]}::text[]) AS k (app, channel, samples, shadow)
      JOIN app a ON a.name = k.app AND a.deleted_at IS NULL JOIN channel c ON c.app_id = a.id AND c.name = k.channel AND c.deleted_at IS NULL
      WHERE EXISTS (SELECT FROM rollout r WHERE r.channel_id = c.id AND r.ended_at IS NULL)
      ON CONFLICT DO NOTHING`;
  }

  /** Hands over what was kept of a channel, in the order in which it came; nobody gets it again once the transaction has ended. */
  async take(db: Db, channelId: string): Promise<ReportedInterval[]> {
    const rows = await db.$queryRaw<{ source: string; seq: number; taken_at: Date; samples: Sample[]; shadow: ShadowReport | null }[]>`
      WITH taken AS (DELETE FROM rollout_interval WHERE channel_id = ${channelId}::uuid RETURNING source, seq, taken_at, samples, shadow)
      SELECT * FROM taken ORDER BY taken_at, source, seq`;
    return rows.map(({ source, seq, taken_at, samples, shadow }) => ({ source, seq, atMs: taken_at.getTime(), samples, shadow }));
  }

  /** undefined: nothing is known, or in a form that this release does not read. */
  async find(db: Db, rollout: bigint): Promise<AnalysisState | undefined> {
    const row = await db.rollout.findUnique({ where: { id: rollout }, select: { judgement: true } });
    return AnalysisState.safeParse(row?.judgement).data;
  }

  async put(db: Db, rollout: bigint, state: AnalysisState): Promise<void> {
    await db.rollout.update({ where: { id: rollout }, data: { judgement: state as unknown as Prisma.InputJsonValue }, select: { id: true } });
  }

  async putCopies(db: Db, rollout: bigint, record: ShadowRecord): Promise<void> {
    await db.rollout.update({ where: { id: rollout }, data: { shadow: record as object }, select: { id: true } });
  }

  /** Of two versions. */
  async apps(db: Db, appId: string, numbers: readonly [number, number]): Promise<[LockedApp, LockedApp]> {
    const rows = await db.version.findMany({ where: { appId, number: { in: [...numbers] } }, select: { number: true, lockedApp: true } });
    const of = (number: number): LockedApp => LockedApp.parse(rows.find((row) => row.number === number)!.lockedApp);
    return [of(numbers[0]), of(numbers[1])];
  }
}
