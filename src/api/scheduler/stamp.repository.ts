import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { AssignmentStatus } from '#contract/assignment.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import type { IndexedChannel } from './placed-index.js';
import { ChannelPlacementRow } from './placement-row.js';

/** Where a reading stands: everything that was stamped before `horizon` is known. */
export interface Horizon {
  /** Tells this database from others. */
  fleetId: string;
  horizon: bigint;
}

const NodeStatuses = z.object({ node: z.string(), statuses: z.array(AssignmentStatus.pick({ app: true, channel: true, generation: true, placement: true, prepared: true })) });
export type NodeStatuses = z.infer<typeof NodeStatuses>;

interface ChannelRow extends Omit<IndexedChannel, 'placement'> {
  placementGeneration: number | null;
  replicas: unknown;
}

/** What has changed since a look, by the stamps of transactions. */
@Injectable()
export class StampRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * To be asked before what is read: transactions that are under way now stamp with this or later, so the next look begins here. Some of it
   * is read twice.
   */
  async horizon(): Promise<Horizon> {
    const [row] = await this.prisma.$queryRaw<[Horizon]>`
      SELECT fleet_id AS "fleetId", pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon FROM placement_lead WHERE id = 1`;
    return row;
  }

  /** Channels that were changed or placed, gone ones included. */
  async channelsSince(horizon: bigint): Promise<IndexedChannel[]> {
    const rows = await this.prisma.$queryRaw<ChannelRow[]>`
      WITH changed AS (SELECT channel_id FROM channel_stamp WHERE stamp >= ${horizon} UNION SELECT channel_id FROM placement WHERE stamp >= ${horizon})
      SELECT k.channel_id AS id, COALESCE(a.name, '') AS app, COALESCE(c.name, '') AS channel, COALESCE(c.generation, 0) AS generation,
        COALESCE(c.first_generation, 0) AS "firstGeneration", (c.id IS NULL OR a.deleted_at IS NOT NULL OR c.deleted_at IS NOT NULL) AS "isGone",
        COALESCE(s.stamp, 0) AS changed, GREATEST(s.stamp, p.stamp) AS stamp, p.generation AS "placementGeneration", p.replicas
      FROM changed k LEFT JOIN channel c ON c.id = k.channel_id LEFT JOIN app a ON a.id = c.app_id
      LEFT JOIN channel_stamp s ON s.channel_id = k.channel_id LEFT JOIN placement p ON p.channel_id = k.channel_id`;
    return rows.map(({ placementGeneration, replicas, ...rest }) => ({
      ...rest,
      placement: placementGeneration === null ? null : ChannelPlacementRow.parse({ generation: placementGeneration, replicas }),
    }));
  }

  /** What nodes say of what they hold, of those that said something new. */
  async nodesSince(horizon: bigint): Promise<NodeStatuses[]> {
    return NodeStatuses.array().parse(
      await this.prisma.$queryRaw`
        SELECT s.node, COALESCE(n.report->'statuses', '[]'::jsonb) AS statuses
        FROM node_stamp s LEFT JOIN node n ON n.name = s.node WHERE s.stamp >= ${horizon}`,
    );
  }
}
