import { Injectable } from '@nestjs/common';
import { NODE_LOST_AFTER_MS } from '#contract/node-routes.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';

/** How many there are, the same from every replica. */
export interface PlatformCounts {
  apps: number;
  /** Heard of lately, or not. */
  nodes: { live: number; lost: number };
  /** That have not ended. */
  rollouts: { progressing: number; paused: number };
}

@Injectable()
export class PlatformCountsRepository {
  constructor(private readonly prisma: PrismaService) {}

  async read(): Promise<PlatformCounts> {
    const [row] = await this.prisma.$queryRaw<{ apps: number; live: number; lost: number; progressing: number; paused: number }[]>`
      SELECT
        (SELECT count(*)::int FROM app WHERE deleted_at IS NULL) AS apps,
        count(*) FILTER (WHERE last_seen > now() - ${NODE_LOST_AFTER_MS} * interval '1 millisecond')::int AS live,
        count(*) FILTER (WHERE last_seen <= now() - ${NODE_LOST_AFTER_MS} * interval '1 millisecond')::int AS lost,
        (SELECT count(*)::int FROM rollout WHERE ended_at IS NULL AND state = 'progressing') AS progressing,
        (SELECT count(*)::int FROM rollout WHERE ended_at IS NULL AND state = 'paused') AS paused
      FROM node`;
    const { apps, live, lost, progressing, paused } = row!;
    return { apps, nodes: { live, lost }, rollouts: { progressing, paused } };
  }
}
