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

/** A channel that is placed. */
export interface PlacedChannel extends ChannelName {
  id: string;
}

/** Of the values and the runtime configuration. */
export interface ChannelRevision extends PlacedChannel {
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

/** Live nodes at one moment. */
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

  /** The live nodes that a channel is placed on and that have not switched to its revision. */
  async behind(revisions: readonly ChannelRevision[]): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ name: string }[]>`
      WITH placed AS (
        SELECT t.node, r.app, r.channel, r.revision FROM jsonb_to_recordset(${JSON.stringify(revisions)}::jsonb) AS r (id uuid, app text, channel text, revision int)
        JOIN placement p ON p.channel_id = r.id CROSS JOIN LATERAL jsonb_to_recordset(p.replicas) AS t (node text, leaving boolean) WHERE NOT t.leaving)
      SELECT n.name FROM node n
      WHERE ${isLive()} AND EXISTS (
        SELECT FROM (SELECT app, channel, revision FROM placed WHERE placed.node = n.name) r
        LEFT JOIN jsonb_to_recordset(n.report->'statuses') AS s (app text, channel text, "variablesRevision" int) USING (app, channel)
        WHERE s."variablesRevision" IS NULL OR s."variablesRevision" < r.revision)
      ORDER BY n.name`;
    return rows.map(({ name }) => name);
  }

  /**
   * The live nodes that the channel is placed on, those that it leaves left out, and what each says of it, with the database's clock that
   * judges what is live and what is late. What a node says of an older placement than it was given is not heard.
   */
  fleetOf(channel: PlacedChannel, db: Db = this.prisma): Promise<Fleet> {
    const placed = Prisma.sql`
      LEFT JOIN LATERAL (
        SELECT t.node, t.generation FROM placement p CROSS JOIN LATERAL jsonb_to_recordset(p.replicas) AS t (node text, generation int, leaving boolean)
        WHERE p.channel_id = ${channel.id}::uuid AND NOT t.leaving
      ) placed ON true
      LEFT JOIN node n ON n.name = placed.node AND ${isLive(Prisma.sql`clock.now`)}`;
    return this.saying(channel, { from: placed, heard: Prisma.sql`COALESCE((value->>'placement')::int, placed.generation) >= placed.generation` }, db);
  }

  /** All live nodes, and what each says of the channel, whether it is placed there or not. */
  everywhere(channel: ChannelName): Promise<Fleet> {
    return this.saying(channel, { from: Prisma.sql`LEFT JOIN node n ON ${isLive(Prisma.sql`clock.now`)}`, heard: Prisma.sql`true` }, this.prisma);
  }

  private async saying({ app, channel }: ChannelName, { from, heard }: { from: Prisma.Sql; heard: Prisma.Sql }, db: Db): Promise<Fleet> {
    const rows = await db.$queryRaw<{ now: Date; name: string | null; changed_at: Date; engines: Engines | null; status: AssignmentStatus | null }[]>`
      SELECT clock.now, n.name, n.changed_at, n.report->'engines' AS engines, s.value AS status
      FROM (SELECT clock_timestamp() AS now) clock
      ${from}
      LEFT JOIN LATERAL (
        SELECT value FROM jsonb_array_elements(n.report->'statuses')
        WHERE value->>'app' = ${app} AND value->>'channel' = ${channel} AND ${heard} LIMIT 1
      ) s ON true
      ORDER BY n.name`;
    const live = rows.flatMap(({ name, changed_at: changedAt, engines, status }) =>
      (name === null ? [] : [{ node: name, changedAt, engines: engines ?? UNSAID_ENGINES, status: status ?? undefined }]));
    return { now: rows[0]!.now, nodes: live };
  }
}
