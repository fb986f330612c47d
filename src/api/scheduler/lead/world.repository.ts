import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ChannelLoad } from '#contract/node-facts.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { ChannelScale } from '../scale/channel-scale.js';
import { ChannelRow, type HeldFacts } from './channel-row.js';
import { type NodePulse, NodeRow } from './node-row.js';

export interface Pulse {
  /** The database's clock. */
  nowMs: number;
  nodes: NodePulse[];
}

interface VersionFacts {
  appId: string;
  number: number;
  engines: string[];
  keyValueStores: string[];
  sqliteDatabases: string[];
}

const NodeLoadRow = z.object({ spanMs: z.number(), channels: z.array(ChannelLoad) });
export type NodeLoadRow = z.infer<typeof NodeLoadRow>;

/** What nodes said longer ago says nothing of now. */
const LOAD_FRESH_MS = 4_000;

/** What the scheduler's leader looks at. */
@Injectable()
export class WorldRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** When each node was last heard of and what the operator wants of it, by one clock. */
  async pulse(): Promise<Pulse> {
    const rows = await this.prisma.$queryRaw<{ nowMs: number; node: string | null; wanted: string; lastSeenMs: number }[]>`
      SELECT floor(extract(epoch FROM clock.now) * 1000)::float8 AS "nowMs", n.name AS node, n.wanted, floor(extract(epoch FROM n.last_seen) * 1000)::float8 AS "lastSeenMs"
      FROM (SELECT clock_timestamp() AS now) clock LEFT JOIN node n ON true`;
    return { nowMs: rows[0]!.nowMs, nodes: rows.flatMap(({ node, wanted, lastSeenMs }) => (node === null ? [] : [{ node, wanted, lastSeenMs }])) };
  }

  /** What channels asked of each node, as it last said. */
  async loads(): Promise<NodeLoadRow[]> {
    return NodeLoadRow.array().parse(
      await this.prisma.$queryRaw`SELECT span_ms AS "spanMs", channels FROM node_load WHERE at > clock_timestamp() - ${LOAD_FRESH_MS} * interval '1 millisecond'`,
    );
  }

  /** What nodes said that said something new. Those that are in the table no more are left out. */
  async nodesSince(horizon: bigint): Promise<NodeRow[]> {
    return NodeRow.array().parse(
      await this.prisma.$queryRaw`
        SELECT n.name AS node, n.report - 'statuses' - 'load' AS facts, n.report->'statuses' AS statuses
        FROM node_stamp s JOIN node n ON n.name = s.node WHERE s.stamp >= ${horizon}`,
    );
  }

  /** Channels that were changed, gone ones included. */
  async channelsSince(horizon: bigint): Promise<{ row: ChannelRow; scale: ChannelScale | null }[]> {
    const rows = await this.prisma.$queryRaw<(Record<string, unknown> & { scale: unknown; serve: unknown; previousVersion: number | null; candidates: number[] })[]>`
      SELECT s.channel_id AS id, COALESCE(a.id::text, '') AS "appId", COALESCE(o.name, '') AS org, COALESCE(a.name, '') AS app, COALESCE(c.name, '') AS channel,
        COALESCE(c.first_generation, 0) AS "firstGeneration", COALESCE(c.serve, '[]'::jsonb) AS serve, c.previous_version AS "previousVersion",
        ARRAY(SELECT r.version FROM rollout r WHERE r.channel_id = c.id AND r.ended_at IS NULL AND r.phase <> 'awaiting-approval') AS candidates,
        (c.id IS NULL OR a.deleted_at IS NOT NULL OR c.deleted_at IS NOT NULL) AS "isGone", k.settings AS scale
      FROM channel_stamp s LEFT JOIN channel c ON c.id = s.channel_id LEFT JOIN app a ON a.id = c.app_id LEFT JOIN org o ON o.id = a.org_id
      LEFT JOIN channel_scale k ON k.channel_id = s.channel_id
      WHERE s.stamp >= ${horizon}`;
    return rows.map(({ scale, previousVersion, candidates, ...rest }) => {
      const row = ChannelRow.parse({ ...rest, held: [] });
      const held = new Set([...row.serve.map(({ version }) => version as number), ...candidates, ...(previousVersion === null ? [] : [previousVersion])]);
      return { row: { ...row, held: [...held].sort((a, b) => a - b) }, scale: scale === null ? null : ChannelScale.parse(scale) };
    });
  }

  /** What the versions that nodes are to have come to, in the order of the channels. */
  async factsOf(rows: readonly Pick<ChannelRow, 'appId' | 'held'>[], db: Db = this.prisma): Promise<HeldFacts[]> {
    const keys = rows.flatMap(({ appId, held }) => held.map((number) => ({ appId, number })));
    const found = keys.length === 0 ? [] : await db.$queryRaw<VersionFacts[]>`
      SELECT k.app_id AS "appId", k.number,
        ARRAY(SELECT b.engine FROM version_build b WHERE b.app_id = k.app_id AND b.number = k.number AND b.failure IS NULL) AS engines,
        ARRAY(SELECT DISTINCT l FROM json_array_elements(v.locked_app->'components') c, json_array_elements_text(c->'keyValueStores') l) AS "keyValueStores",
        ARRAY(SELECT DISTINCT l FROM json_array_elements(v.locked_app->'components') c, json_array_elements_text(c->'sqliteDatabases') l) AS "sqliteDatabases"
      FROM (SELECT DISTINCT * FROM unnest(${keys.map(({ appId }) => appId)}::uuid[], ${keys.map(({ number }) => number)}::int[]) AS k (app_id, number)) k
      JOIN version v ON v.app_id = k.app_id AND v.number = k.number`;
    const byKey = new Map(found.map((each) => [`${each.appId}/${each.number}`, each]));
    return rows.map(({ appId, held }) => {
      const versions = held.flatMap((number) => byKey.get(`${appId}/${number}`) ?? []);
      return {
        engines: versions.map(({ engines }) => engines),
        keyValueStores: [...new Set(versions.flatMap(({ keyValueStores }) => keyValueStores))].sort(),
        sqliteDatabases: [...new Set(versions.flatMap(({ sqliteDatabases }) => sqliteDatabases))].sort(),
      };
    });
  }
}
