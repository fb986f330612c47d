import { Injectable } from '@nestjs/common';
import { type AssignmentStatus, type Engines, type NodeReport, UNSAID_ENGINES } from '#contract/assignment.js';
import type { ComponentLimits } from '#contract/bundle/component-limits.js';
import { NODE_LOST_AFTER_MS } from '#contract/node-routes.js';
import { type Db, NOTIFY_CHANNEL, PrismaService } from '#platform/prisma/prisma.service.js';
import { REPORTS_TOPIC } from '../topics.js';

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

@Injectable()
export class NodeRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** A heartbeat that says nothing new. False when it does, or when the node was thought lost. */
  async touch(node: string, digest: string): Promise<boolean> {
    const touched = await this.prisma.$executeRaw`
      UPDATE node SET last_seen = now()
      WHERE name = ${node} AND report_digest = ${digest} AND last_seen > now() - ${NODE_LOST_AFTER_MS} * interval '1 millisecond'`;
    return touched > 0;
  }

  async put(report: NodeReport, digest: string): Promise<void> {
    const text = JSON.stringify(report);
    await this.prisma.$executeRaw`
      WITH put AS (
        INSERT INTO node (name, incarnation, report, report_digest, changed_at, last_seen)
        VALUES (${report.node}, ${report.incarnation}, ${text}::jsonb, ${digest}, now(), now())
        ON CONFLICT (name) DO UPDATE SET incarnation = EXCLUDED.incarnation, report = EXCLUDED.report, report_digest = EXCLUDED.report_digest,
          last_seen = EXCLUDED.last_seen,
          changed_at = CASE WHEN node.report_digest = EXCLUDED.report_digest THEN node.changed_at ELSE EXCLUDED.changed_at END
        RETURNING name)
      SELECT pg_notify(${NOTIFY_CHANNEL}, ${REPORTS_TOPIC}) FROM put`;
  }

  /** The most that each live node gives a component; of nodes that do not say, nothing. */
  async limits(): Promise<ComponentLimits[]> {
    const rows = await this.prisma.$queryRaw<{ limits: ComponentLimits }[]>`
      SELECT report->'limits' AS limits FROM node
      WHERE last_seen > now() - ${NODE_LOST_AFTER_MS} * interval '1 millisecond' AND report->'limits' IS NOT NULL`;
    return rows.map(({ limits }) => limits);
  }

  async live(): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ name: string }[]>`
      SELECT name FROM node WHERE last_seen > now() - ${NODE_LOST_AFTER_MS} * interval '1 millisecond' ORDER BY name`;
    return rows.map(({ name }) => name);
  }

  /** The live nodes that have not switched to one of the revisions. */
  async behind(revisions: readonly ChannelRevision[]): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ name: string }[]>`
      SELECT n.name FROM node n
      WHERE n.last_seen > now() - ${NODE_LOST_AFTER_MS} * interval '1 millisecond' AND EXISTS (
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
      LEFT JOIN node n ON n.last_seen > clock.now - ${NODE_LOST_AFTER_MS} * interval '1 millisecond'
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
