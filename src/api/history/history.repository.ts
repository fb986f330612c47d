import { Injectable } from '@nestjs/common';
import type { TrafficShare } from '#contract/assignment.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';

export interface DeploymentRow {
  channel: string;
  generation: number;
  serve: TrafficShare[];
  at: Date;
  until: Date | null;
  variablesRevision: number | null;
  cause: string;
  causedBy: string;
  rolloutId: bigint | null;
  failure: { code: string; message: string } | null;
}

/** The lines of a request come within this time of it. */
const LINES_WITHIN_MS = 10 * 60_000;

@Injectable()
export class HistoryRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Newest first; of one channel, below a generation, or the one that was served at a time. */
  async list(channelId: string, { below, at }: { below: number | undefined; at: Date | undefined }, limit: number): Promise<DeploymentRow[]> {
    return this.prisma.$queryRaw<DeploymentRow[]>`
      SELECT * FROM (
        SELECT c.name AS channel, d.generation, d.serve, d.at, lead(d.at) OVER (ORDER BY d.generation) AS until, d.variables_revision AS "variablesRevision", d.cause,
          d.caused_by AS "causedBy", d.rollout_id AS "rolloutId", r.failure
        FROM deployment d JOIN channel c ON c.id = d.channel_id LEFT JOIN rollout r ON r.id = d.rollout_id
        WHERE d.channel_id = ${channelId}::uuid) AS each
      WHERE (${below ?? null}::int IS NULL OR generation < ${below ?? null}::int) AND (${at ?? null}::timestamptz IS NULL OR at <= ${at ?? null}::timestamptz)
      ORDER BY generation DESC LIMIT ${at ? 1 : limit}`;
  }

  /** Channels that an app has or had, the ones of now first. */
  async channels(appId: string): Promise<{ id: string; name: string }[]> {
    return this.prisma.channel.findMany({ where: { appId }, orderBy: [{ deletedAt: { sort: 'desc', nulls: 'first' } }], select: { id: true, name: true } });
  }

  async nodes(): Promise<string[]> {
    return (await this.prisma.node.findMany({ select: { name: true } })).map(({ name }) => name);
  }

  /** Ids of the components of a version, in the order of its manifest; undefined: there is no such version. */
  async components(appId: string, number: number): Promise<string[] | undefined> {
    const [row] = await this.prisma.$queryRaw<{ ids: string[] }[]>(Prisma.sql`
      SELECT ARRAY(SELECT c.value->>'id' FROM json_array_elements(locked_app->'components') WITH ORDINALITY c ORDER BY c.ordinality) AS ids
      FROM version WHERE app_id = ${appId}::uuid AND number = ${number}`);
    return row?.ids;
  }

  /** What the platform wrote for a request. */
  async platformLines(appId: string, requestId: string, at: Date): Promise<string[]> {
    const [from, to] = [new Date(at.getTime() - LINES_WITHIN_MS), new Date(at.getTime() + LINES_WITHIN_MS)];
    const rows = await this.prisma.logLine.findMany({ where: { appId, requestId, stream: 'platform', at: { gte: from, lte: to } }, orderBy: { id: 'asc' }, take: 100, select: { line: true } });
    return rows.map(({ line }) => line);
  }
}
