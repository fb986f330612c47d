import { Injectable } from '@nestjs/common';
import { type AssignmentStatus, type Engines, UNSAID_ENGINES } from '#contract/assignment.js';
import type { ComponentLimits } from '#contract/bundle/component-limits.js';
import { NODE_LOST_AFTER_MS } from '#contract/node-routes.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';

export interface ChannelName {
  app: string;
  channel: string;
}

/** Of the values and the runtime configuration. */
export interface ChannelRevision extends ChannelName {
  revision: number;
}

/** What one live node says of one channel. */
export interface NodeStatus {
  node: string;
  changedAt: Date;
  /** What it can run. */
  engines: Engines;
  status: AssignmentStatus | undefined;
}

/** The live nodes at one moment. */
export interface Fleet {
  now: Date;
  nodes: NodeStatus[];
}

/** Of a row `n` of the table `node`: heard of within NODE_LOST_AFTER_MS, and neither stopped nor removed. */
export const isLive = (now = Prisma.sql`now()`): Prisma.Sql =>
  Prisma.sql`(n.last_seen > ${now} - ${NODE_LOST_AFTER_MS} * interval '1 millisecond' AND n.gone_at IS NULL AND n.wanted <> 'removed')`;

/** What live nodes say of channels. */
@Injectable()
export class NodeRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** The most that each live node gives a component; of nodes that do not say, nothing. */
  async limits(): Promise<ComponentLimits[]> {
    const rows = await this.prisma.$queryRaw<{ limits: ComponentLimits }[]>`
      SELECT n.report->'limits' AS limits FROM node n WHERE ${isLive()} AND n.report->'limits' IS NOT NULL`;
    return rows.map(({ limits }) => limits);
  }

  async live(): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ name: string }[]>`
      SELECT n.name FROM node n WHERE ${isLive()} ORDER BY n.name`;
    return rows.map(({ name }) => name);
  }

  /** The live nodes that have not switched to one of the revisions. */
  async behind(revisions: readonly ChannelRevision[]): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ name: string }[]>`
      SELECT n.name FROM node n
      WHERE ${isLive()} AND EXISTS (
        SELECT FROM jsonb_to_recordset(${JSON.stringify(revisions)}::jsonb) AS r (app text, channel text, revision int)
        LEFT JOIN jsonb_to_recordset(n.report->'statuses') AS s (app text, channel text, "variablesRevision" int) USING (app, channel)
        WHERE s."variablesRevision" IS NULL OR s."variablesRevision" < r.revision)
      ORDER BY n.name`;
    return rows.map(({ name }) => name);
  }

  /** The live nodes and what each says of the channel, with the database's clock that judges what is live and what is late. */
  async fleetOf({ app, channel }: ChannelName, db: Db = this.prisma): Promise<Fleet> {
    const rows = await db.$queryRaw<{ now: Date; name: string | null; changed_at: Date; engines: Engines | null; status: AssignmentStatus | null }[]>`
      SELECT clock.now, n.name, n.changed_at, n.report->'engines' AS engines, s.value AS status
      FROM (SELECT clock_timestamp() AS now) clock
      LEFT JOIN node n ON ${isLive(Prisma.sql`clock.now`)}
      LEFT JOIN LATERAL (
        SELECT value FROM jsonb_array_elements(n.report->'statuses')
        WHERE value->>'app' = ${app} AND value->>'channel' = ${channel} LIMIT 1
      ) s ON true
      ORDER BY n.name`;
    const live = rows.flatMap(({ name, changed_at: changedAt, engines, status }) =>
      (name === null ? [] : [{ node: name, changedAt, engines: engines ?? UNSAID_ENGINES, status: status ?? undefined }]));
    return { now: rows[0]!.now, nodes: live };
  }
}
