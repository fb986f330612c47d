import { Injectable } from '@nestjs/common';
import type { NodeReport } from '#contract/assignment.js';
import type { NodeFarewell, NodeHeartbeat, NodeWish } from '#contract/node-facts.js';
import { NOTIFY_CHANNEL, PrismaService } from '#platform/prisma/prisma.service.js';
import { REPORTS_TOPIC } from '../topics.js';
import { isLive } from './node.repository.js';

/** A heartbeat and whose it is. */
export interface Beat extends Omit<NodeHeartbeat, 'load'> {
  node: string;
  load: NodeHeartbeat['load'] | null;
}

/** A node's row beside one of its messages. */
export interface NodeStanding {
  startCount: number;
  sequence: number;
  wanted: NodeWish;
  farewell: NodeFarewell | null;
}

/** What became of a heartbeat: `touched`, the node is live and nothing is new. */
export interface BeatResult {
  standing: NodeStanding | undefined;
  touched: boolean;
}

interface StandingRow {
  start_count: number;
  sequence: bigint;
  wanted: NodeWish;
  farewell: NodeFarewell | null;
}

/** Messages of nodes, each taken in the order in which the node counted it. */
@Injectable()
export class NodeMessageRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** A whole report that says what the last one said, of a node that is live. False when it is none of that. */
  async touch({ node, startCount, sequence }: NodeReport, digest: string): Promise<boolean> {
    const touched = await this.prisma.$executeRaw`
      UPDATE node n SET last_seen = now(), sequence = ${sequence}, reported = ${sequence}
      WHERE n.name = ${node} AND n.report_digest = ${digest} AND ${isLive()}
        AND n.start_count = ${startCount} AND (n.sequence < ${sequence} OR ${startCount} = 0)`;
    return touched > 0;
  }

  /** Keeps a report unless a newer one is there, and wakes those who wait for reports. False when there is. */
  async put(report: NodeReport, digest: string): Promise<boolean> {
    const { node, incarnation, startCount, sequence, farewell } = report;
    const rows = await this.prisma.$queryRaw<unknown[]>`
      WITH put AS (
        INSERT INTO node AS n (name, incarnation, report, report_digest, start_count, sequence, reported, changed_at, last_seen, gone_at)
        VALUES (${node}, ${incarnation}, ${JSON.stringify(report)}::jsonb, ${digest}, ${startCount}, ${sequence}, ${sequence}, now(), now(),
          CASE WHEN ${farewell}::text = 'gone' THEN now() END)
        ON CONFLICT (name) DO UPDATE SET incarnation = EXCLUDED.incarnation, report = EXCLUDED.report, report_digest = EXCLUDED.report_digest,
          start_count = EXCLUDED.start_count, sequence = EXCLUDED.sequence, reported = EXCLUDED.reported, last_seen = EXCLUDED.last_seen, gone_at = EXCLUDED.gone_at,
          changed_at = CASE WHEN n.report_digest = EXCLUDED.report_digest THEN n.changed_at ELSE EXCLUDED.changed_at END
        WHERE EXCLUDED.start_count = 0 OR (EXCLUDED.start_count, EXCLUDED.sequence) > (n.start_count, n.sequence)
        RETURNING name)
      SELECT pg_notify(${NOTIFY_CHANNEL}, ${REPORTS_TOPIC})::text FROM put`;
    return rows.length > 0;
  }

  async standing(node: string): Promise<NodeStanding | undefined> {
    const rows = await this.prisma.$queryRaw<StandingRow[]>`
      SELECT start_count, sequence, wanted, report->>'farewell' AS farewell FROM node WHERE name = ${node}`;
    return rows[0] && toStanding(rows[0]);
  }

  /** What a node measured; of two messages the later one counts. */
  async putLoad({ node, startCount, sequence, load }: Pick<NodeReport, 'node' | 'startCount' | 'sequence' | 'load'>): Promise<void> {
    if (!load) return;
    await this.prisma.$executeRaw`
      INSERT INTO node_load AS l (node, start_count, sequence, at, span_ms, channels)
      VALUES (${node}, ${startCount}, ${sequence}, now(), ${load.spanMs}, ${JSON.stringify(load.channels)}::jsonb)
      ON CONFLICT (node) DO UPDATE SET start_count = EXCLUDED.start_count, sequence = EXCLUDED.sequence, at = EXCLUDED.at, span_ms = EXCLUDED.span_ms, channels = EXCLUDED.channels
      WHERE (EXCLUDED.start_count, EXCLUDED.sequence) > (l.start_count, l.sequence)`;
  }

  /**
   * Takes heartbeats, all in one statement: at a thousand nodes one each would be most of what the database does. A heartbeat touches its node
   * when the report that it names is the last one taken, no later message came first, and the node was not taken for lost. Rows are
   * locked in the order of their names, since two replicas may do the same.
   */
  async beat(beats: readonly Beat[]): Promise<BeatResult[]> {
    const rows = await this.prisma.$queryRaw<(Partial<StandingRow> & { touched: boolean })[]>`
      WITH beat AS (
        SELECT * FROM jsonb_to_recordset(${JSON.stringify(beats.map((beat, index) => ({ ...beat, index })))}::jsonb)
          AS b (index int, node text, "startCount" int, sequence bigint, reported bigint, load jsonb)),
      locked AS (SELECT n.name FROM node n WHERE n.name IN (SELECT node FROM beat) ORDER BY n.name FOR NO KEY UPDATE),
      latest AS (SELECT DISTINCT ON (node) * FROM beat ORDER BY node, "startCount" DESC, sequence DESC),
      touched AS (
        UPDATE node n SET last_seen = now(), sequence = b.sequence FROM latest b JOIN locked ON locked.name = b.node
        WHERE n.name = b.node AND n.start_count = b."startCount" AND n.reported = b.reported AND n.sequence < b.sequence AND ${isLive()}
        RETURNING n.name),
      loads AS (
        INSERT INTO node_load AS l (node, start_count, sequence, at, span_ms, channels)
        SELECT b.node, b."startCount", b.sequence, now(), (b.load->>'spanMs')::float8, b.load->'channels'
        FROM latest b JOIN touched t ON t.name = b.node WHERE jsonb_typeof(b.load) = 'object' ORDER BY b.node
        ON CONFLICT (node) DO UPDATE SET start_count = EXCLUDED.start_count, sequence = EXCLUDED.sequence, at = EXCLUDED.at, span_ms = EXCLUDED.span_ms, channels = EXCLUDED.channels
        WHERE (EXCLUDED.start_count, EXCLUDED.sequence) > (l.start_count, l.sequence))
      SELECT t.name IS NOT NULL AS touched, n.start_count, n.sequence, n.wanted, n.report->>'farewell' AS farewell
      FROM beat b LEFT JOIN node n ON n.name = b.node LEFT JOIN touched t ON t.name = b.node
      ORDER BY b.index`;
    return rows.map(({ touched, ...row }) => ({ touched, standing: typeof row.start_count === 'number' ? toStanding(row as StandingRow) : undefined }));
  }
}

function toStanding({ start_count: startCount, sequence, wanted, farewell }: StandingRow): NodeStanding {
  return { startCount, sequence: Number(sequence), wanted, farewell };
}
