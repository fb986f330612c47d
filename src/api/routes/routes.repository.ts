import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { GatewayAddress } from '#contract/node-facts.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import type { NodePulse, RoutedChannel, RoutedNode } from './route-state.js';

/** Gateways ask others first of a node that has said nothing for so long. Sooner than it counts as lost elsewhere, since being wrong costs little. */
const QUIET_AFTER_MS = 3_500;

const ChannelRow = z.object({
  id: z.string(), app: z.string(), channel: z.string(), generation: z.int(), firstGeneration: z.int(), isServed: z.boolean(), isGone: z.boolean(),
  replicas: z.array(z.looseObject({ node: z.string(), leaving: z.boolean().default(false) })).nullable(),
});
const NodeRow = z.object({
  node: z.string(),
  gateway: GatewayAddress.nullish(),
  statuses: z.array(z.looseObject({ app: z.string(), channel: z.string(), generation: z.int() })).nullish(),
});

/** What routes are made of. */
@Injectable()
export class RoutesRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Transactions older than this have ended: what is read later than this was, and has a smaller stamp, is known. */
  async horizon(): Promise<bigint> {
    const [row] = await this.prisma.$queryRaw<{ horizon: bigint }[]>`SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon`;
    return row!.horizon;
  }

  /** Channels that were changed or placed anew since. */
  async channelsSince(horizon: bigint): Promise<RoutedChannel[]> {
    const rows = ChannelRow.array().parse(
      await this.prisma.$queryRaw`
        SELECT c.id::text AS id, a.name AS app, c.name AS channel, c.generation, c.first_generation AS "firstGeneration", jsonb_array_length(c.serve) > 0 AS "isServed",
          (a.deleted_at IS NOT NULL OR c.deleted_at IS NOT NULL) AS "isGone", p.replicas
        FROM (SELECT channel_id AS id FROM channel_stamp WHERE stamp >= ${horizon} UNION SELECT channel_id FROM placement WHERE stamp >= ${horizon}) changed
        JOIN channel c USING (id) JOIN app a ON a.id = c.app_id LEFT JOIN placement p ON p.channel_id = c.id`,
    );
    return rows.map(({ replicas, ...rest }) => ({ ...rest, placed: replicas && replicas.map(({ node, leaving }) => ({ node, isLeaving: leaving })) }));
  }

  /** What nodes said that said something new since. */
  async nodesSince(horizon: bigint): Promise<RoutedNode[]> {
    const rows = NodeRow.array().parse(
      await this.prisma.$queryRaw`
        SELECT n.name AS node, n.report->'gateway' AS gateway, n.report->'statuses' AS statuses
        FROM node_stamp s JOIN node n ON n.name = s.node WHERE s.stamp >= ${horizon}`,
    );
    return rows.map(({ node, gateway, statuses }) => ({
      node, gateway: gateway ?? null,
      switched: new Map((statuses ?? []).filter(({ generation }) => generation > 0).map(({ app, channel, generation }) => [`${app}/${channel}`, generation])),
    }));
  }

  /** How every node is. Removed ones are left out. */
  async pulses(): Promise<NodePulse[]> {
    return this.prisma.$queryRaw<NodePulse[]>`
      SELECT n.name AS node, (n.gone_at IS NOT NULL OR n.last_seen <= now() - ${QUIET_AFTER_MS} * interval '1 millisecond') AS "isLost",
        (n.wanted = 'draining' OR n.report->>'farewell' IS NOT NULL) AS "isLeaving"
      FROM node n WHERE n.wanted <> 'removed' ORDER BY n.name`;
  }

  /** Notes that a node was asked for a channel that is nowhere. False: there is no such channel. */
  async want(node: string, app: string, channel: string): Promise<boolean> {
    const noted = await this.prisma.$executeRaw(Prisma.sql`
      INSERT INTO channel_wanted (channel_id, node, at)
      SELECT c.id, ${node}, now() FROM channel c JOIN app a ON a.id = c.app_id
      WHERE a.name = ${app} AND c.name = ${channel} AND a.deleted_at IS NULL AND c.deleted_at IS NULL
      ON CONFLICT (channel_id) DO UPDATE SET node = EXCLUDED.node, at = EXCLUDED.at`);
    return noted > 0;
  }
}
