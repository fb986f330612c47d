import { Injectable } from '@nestjs/common';
import type { LogRecord } from '#contract/journal.js';
import { type Db, notify } from '#platform/prisma/prisma.service.js';
import { logsTopic } from '../topics.js';
import type { AppIdentity, LimitRollup, UsageRollup } from './journal-batch.js';

/** First key of the advisory locks under which an app's log lines are numbered: the second is a hash of the app's id. */
const LOG_LOCK_CLASS = 7270;

@Injectable()
export class JournalRepository {
  /** The next entry expected of a journal, which nobody else takes from before the transaction ends. */
  async lockCursor(db: Db, node: string, journal: string): Promise<number> {
    await db.$executeRaw`INSERT INTO journal_cursor (node, journal, next_seq) VALUES (${node}, ${journal}, 1) ON CONFLICT DO NOTHING`;
    const [row] = await db.$queryRaw<{ next_seq: bigint }[]>`
      SELECT next_seq FROM journal_cursor WHERE node = ${node} AND journal = ${journal} FOR UPDATE`;
    return Number(row!.next_seq);
  }

  async moveCursor(db: Db, node: string, journal: string, nextSeq: number): Promise<void> {
    await db.journalCursor.update({ where: { node_journal: { node, journal } }, data: { nextSeq } });
  }

  /** Every identity that the names have had, deleted ones included. */
  async identitiesOf(db: Db, names: string[]): Promise<AppIdentity[]> {
    return db.$queryRaw<AppIdentity[]>`
      SELECT a.id, a.org_id AS "orgId", o.name AS org, a.name AS app, a.created_at AS "createdAt", a.deleted_at AS "deletedAt"
      FROM app a JOIN org o ON o.id = a.org_id WHERE a.name = ANY(${names}) ORDER BY a.created_at`;
  }

  /** Adds to the minutes' sums. `rollups` has each key once, in a fixed order: two transactions never wait for each other in a ring. */
  async addUsage(db: Db, node: string, rollups: UsageRollup[]): Promise<void> {
    if (rollups.length === 0) return;
    await db.$executeRaw`
      INSERT INTO usage_minute (minute, org_id, app_id, channel, version, component, trigger, node, requests, errors, wall_ms, cpu_ms, bytes_in, bytes_out)
      SELECT to_timestamp(u."minuteMs" / 1000.0), u."orgId", u."appId", u.channel, u.version, u.component, u.trigger, ${node},
        u.requests, u.errors, u."wallMs", u."cpuMs", u."bytesIn", u."bytesOut"
      FROM jsonb_to_recordset(${JSON.stringify(rollups)}::jsonb) AS u("minuteMs" float8, "orgId" uuid, "appId" uuid, channel text, version int,
        component text, trigger text, requests bigint, errors bigint, "wallMs" float8, "cpuMs" float8, "bytesIn" bigint, "bytesOut" bigint)
      ORDER BY u."appId", u."minuteMs", u.channel, u.version, u.component, u.trigger
      ON CONFLICT (app_id, minute, channel, version, component, trigger, node) DO UPDATE SET
        requests = usage_minute.requests + EXCLUDED.requests, errors = usage_minute.errors + EXCLUDED.errors,
        wall_ms = usage_minute.wall_ms + EXCLUDED.wall_ms, cpu_ms = usage_minute.cpu_ms + EXCLUDED.cpu_ms,
        bytes_in = usage_minute.bytes_in + EXCLUDED.bytes_in, bytes_out = usage_minute.bytes_out + EXCLUDED.bytes_out`;
  }

  /** As `addUsage`, for limits that struck. */
  async addLimits(db: Db, node: string, rollups: LimitRollup[]): Promise<void> {
    if (rollups.length === 0) return;
    await db.$executeRaw`
      INSERT INTO limit_minute (minute, org_id, app_id, channel, version, component, code, node, count)
      SELECT to_timestamp(l."minuteMs" / 1000.0), l."orgId", l."appId", l.channel, l.version, l.component, l.code, ${node}, l.count
      FROM jsonb_to_recordset(${JSON.stringify(rollups)}::jsonb) AS l("minuteMs" float8, "orgId" uuid, "appId" uuid, channel text, version int,
        component text, code text, count bigint)
      ORDER BY l."appId", l."minuteMs", l.channel, l.version, l.component, l.code
      ON CONFLICT (app_id, minute, channel, version, component, code, node) DO UPDATE SET count = limit_minute.count + EXCLUDED.count`;
  }

  /** Appends lines, in their order, and wakes those who follow them. */
  async addLines(db: Db, lines: { appId: string; record: LogRecord }[]): Promise<void> {
    if (lines.length === 0) return;
    const appIds = [...new Set(lines.map((line) => line.appId))].sort();
    // Ids are given before a transaction commits: without the lock, a follower could see 8, and 7 never.
    for (const appId of appIds) await db.$queryRaw`SELECT 1 FROM pg_advisory_xact_lock(${LOG_LOCK_CLASS}, hashtext(${appId}))`;
    const rows = lines.map(({ appId, record }) => ({ ...record, appId }));
    await db.$executeRaw`
      INSERT INTO log_line (app_id, at, channel, version, component, request_id, stream, line)
      SELECT (l.r->>'appId')::uuid, to_timestamp((l.r->>'at')::float8 / 1000.0), l.r->>'channel', (l.r->>'version')::int, l.r->>'component', l.r->>'requestId', l.r->>'stream', l.r->>'line'
      FROM jsonb_array_elements(${JSON.stringify(rows)}::jsonb) WITH ORDINALITY AS l(r, i) ORDER BY l.i`;
    await notify(db, ...appIds.map(logsTopic));
  }
}
