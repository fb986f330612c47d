import { Injectable } from '@nestjs/common';
import type { LetGo, NodeFarewell, NodeWish } from '#contract/node-facts.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, NOTIFY_CHANNEL, PrismaService } from '#platform/prisma/prisma.service.js';
import { ASSIGNMENTS_TOPIC, REPORTS_TOPIC } from '../topics.js';
import type { DrainingNode, DrainRecord } from './drain-record.js';
import { isLive } from './node.repository.js';

/** A node and the drain that it has or had. */
export interface DrainRow extends DrainingNode {
  name: string;
  wanted: NodeWish;
  drain: DrainRecord | null;
  now: Date;
  live: boolean;
}

interface Raw {
  name: string;
  wanted: NodeWish;
  drain: DrainRecord | null;
  start_count: number;
  farewell: NodeFarewell | null;
  let_go: LetGo | null;
  holds: string[];
  now: Date;
  live: boolean;
}

/** Of a row `n`: something is to be looked at or begun. Nothing else is read at most reports. */
const IS_UNDER_WAY = Prisma.sql`((n.drain IS NOT NULL AND n.drain->'endedAtMs' = 'null'::jsonb)
  OR (n.report->>'farewell' = 'leaving' AND (n.drain IS NULL OR n.drain->'endedAtMs' <> 'null'::jsonb)))`;

@Injectable()
export class DrainRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Names of the nodes with a drain under way, or one to begin since they leave by themselves. */
  async underWay(): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ name: string }[]>`SELECT n.name FROM node n WHERE ${IS_UNDER_WAY} ORDER BY n.name`;
    return rows.map(({ name }) => name);
  }

  /** Channels that the node says it holds, as `<app>/<channel>`. */
  async holds(name: string): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ key: string }[]>`
      SELECT s.app || '/' || s.channel AS key FROM node n CROSS JOIN LATERAL jsonb_to_recordset(n.report->'statuses') AS s (app text, channel text) WHERE n.name = ${name}`;
    return rows.map(({ key }) => key);
  }

  /** The node, held until the transaction ends. */
  async lock(db: Db, name: string): Promise<DrainRow | undefined> {
    const rows = await db.$queryRaw<Raw[]>`
      SELECT n.name, n.wanted, n.drain, n.start_count, n.report->>'farewell' AS farewell, n.report->'letGo' AS let_go, clock_timestamp() AS now, ${isLive(Prisma.sql`clock_timestamp()`)} AS live,
        ARRAY(SELECT s.app || '/' || s.channel FROM jsonb_to_recordset(n.report->'statuses') AS s (app text, channel text)) AS holds
      FROM node n WHERE n.name = ${name} FOR NO KEY UPDATE`;
    return rows.map(({ start_count: startCount, let_go: letGo, holds, ...row }) => ({
      ...row, startCount, holds: new Set(holds), letGo: letGo ?? { channels: 0, finished: 0, dropped: 0, underWay: 0 },
    }))[0];
  }

  async save(db: Db, name: string, wanted: NodeWish, drain: DrainRecord | null): Promise<void> {
    await db.$executeRaw`
      WITH saved AS (
        UPDATE node SET drain = ${drain && JSON.stringify(drain)}::jsonb, wanted = ${wanted}, wanted_at = CASE WHEN wanted = ${wanted} THEN wanted_at ELSE now() END
        WHERE name = ${name} RETURNING name)
      SELECT pg_notify(${NOTIFY_CHANNEL}, topic) FROM saved, unnest(${[REPORTS_TOPIC, ASSIGNMENTS_TOPIC]}::text[]) AS topic`;
  }

  /** Which of the channels another live node serves that is to stay. */
  async servedElsewhere(db: Db, name: string, keys: readonly string[]): Promise<Set<string>> {
    if (keys.length === 0) return new Set();
    const rows = await db.$queryRaw<{ key: string }[]>`
      SELECT DISTINCT s.app || '/' || s.channel AS key
      FROM node n CROSS JOIN LATERAL jsonb_to_recordset(n.report->'statuses') AS s (app text, channel text, generation int)
      WHERE n.name <> ${name} AND ${isLive()} AND n.wanted <> 'draining' AND n.report->>'farewell' IS NULL
        AND s.generation > 0 AND s.app || '/' || s.channel = ANY(${keys}::text[])`;
    return new Set(rows.map(({ key }) => key));
  }

  /** Whether another live node could take something over. */
  async hasSuccessors(name: string): Promise<boolean> {
    const rows = await this.prisma.$queryRaw<unknown[]>`
      SELECT FROM node n WHERE n.name <> ${name} AND ${isLive()} AND n.wanted = 'active' AND n.report->>'farewell' IS NULL AND n.report->>'sickness' IS NULL LIMIT 1`;
    return rows.length > 0;
  }
}
