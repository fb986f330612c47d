import { Injectable } from '@nestjs/common';
import type { ChannelLoad, NodeWish } from '#contract/node-facts.js';
import { NODE_LOST_AFTER_MS } from '#contract/node-routes.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import type { DrainRecord } from './drain-record.js';
import type { NodeState } from './node.schema.js';

/** A node as it is kept. `report` is one of any release: what it leaves out has its default. */
export interface NodeRecord {
  name: string;
  state: NodeState;
  wanted: NodeWish;
  wantedAt: Date | null;
  report: unknown;
  drain: DrainRecord | null;
  goneAt: Date | null;
  lastSeen: Date;
  createdAt: Date;
  load: { spanMs: number; channels: ChannelLoad[] } | null;
}

export interface NodeFilter {
  state: NodeState | undefined;
  labels: Record<string, string>;
  /** Names after this one. */
  after: string | undefined;
  limit: number;
}

const IS_SILENT = Prisma.sql`n.last_seen <= now() - ${NODE_LOST_AFTER_MS} * interval '1 millisecond'`;

const STATE = Prisma.sql`CASE
  WHEN n.wanted = 'removed' THEN 'removed'
  WHEN n.gone_at IS NOT NULL THEN 'gone'
  WHEN ${IS_SILENT} THEN 'lost'
  WHEN n.report->>'farewell' = 'leaving' THEN 'leaving'
  WHEN n.wanted = 'draining' AND n.drain->'endedAtMs' <> 'null'::jsonb THEN 'drained'
  WHEN n.wanted IN ('draining', 'cordoned') THEN n.wanted
  ELSE 'live' END`;

const COLUMNS = Prisma.sql`n.name, ${STATE} AS state, n.wanted, n.wanted_at AS "wantedAt", n.report, n.drain, n.gone_at AS "goneAt", n.last_seen AS "lastSeen", n.created_at AS "createdAt",
  CASE WHEN l.at > now() - ${NODE_LOST_AFTER_MS} * interval '1 millisecond' THEN jsonb_build_object('spanMs', l.span_ms, 'channels', l.channels) END AS load`;

/** The nodes, as an operator sees them. */
@Injectable()
export class NodeResourceRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(name: string): Promise<NodeRecord | undefined> {
    const rows = await this.prisma.$queryRaw<NodeRecord[]>`SELECT ${COLUMNS} FROM node n LEFT JOIN node_load l ON l.node = n.name WHERE n.name = ${name}`;
    return rows[0];
  }

  /** By name; one more than the limit when there are more. */
  list({ state, labels, after, limit }: NodeFilter): Promise<NodeRecord[]> {
    return this.prisma.$queryRaw<NodeRecord[]>`
      SELECT ${COLUMNS} FROM node n LEFT JOIN node_load l ON l.node = n.name
      WHERE n.name > ${after ?? ''} COLLATE "C" AND (${state ?? null}::text IS NULL OR ${STATE} = ${state ?? null}::text)
        AND coalesce(n.report->'labels', '{}'::jsonb) @> ${JSON.stringify(labels)}::jsonb
      ORDER BY n.name COLLATE "C" LIMIT ${limit + 1}`;
  }
}
