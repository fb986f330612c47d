import { z } from 'zod';
import type { Session } from '#platform/prisma/session-lock.js';
import { NOTIFY_CHANNEL } from '#platform/prisma/prisma.service.js';
import { placementAnswerTopic, STAMPS_TOPIC } from '../../topics.js';
import type { FleetMemory } from '../placement/fleet-memory.js';
import { NO_FLEET } from '../placement/fleet-memory.js';
import type { ChannelPlacement, Placement } from '../placement/placement.js';
import { ChannelPlacementRow } from '../placement-row.js';
import type { LeadSummary, PlacementAnswer } from './lead-summary.js';

/** What one pass decided, to be written as one. */
export interface LeadWrite {
  /** null: nothing is left of it. */
  changed: ReadonlyMap<string, ChannelPlacement | null>;
  homes: ReadonlyMap<string, string>;
  nowMs: number;
  /** Left out when nothing of it but the time has changed. */
  fleet: FleetMemory | undefined;
  summary: LeadSummary | undefined;
}

const Rows = z.array(z.object({ id: z.string(), generation: z.int(), replicas: z.unknown() }));

/**
 * What the leader reads and writes, over the connection that holds its lock: what is written is written while it leads, and a connection
 * that is lost writes nothing more. Beside that each write asks for the leader's epoch and for the generation that it goes on from, so that
 * even somebody who got past the lock (a database that was set back, another one in its place) cannot undo what a later leader decided.
 */
export class LeadStore {
  private epoch = 0;

  constructor(private readonly session: Session) {}

  /** Begins a new epoch. Answers it. */
  async takeOver(leader: string): Promise<number> {
    const { rows } = await this.session.query<{ epoch: number }>('UPDATE placement_lead SET epoch = epoch + 1, leader = $1, since = now() WHERE id = 1 RETURNING epoch', [leader]);
    this.epoch = rows[0]!.epoch;
    // Restored into another server, stamps may be of transactions that are yet to come: as if all of it had changed now.
    const restamp = (table: string): Promise<unknown> => this.session.query(`UPDATE ${table} SET stamp = pg_current_xact_id()::text::bigint WHERE stamp > pg_snapshot_xmax(pg_current_snapshot())::text::bigint`);
    for (const table of ['channel_stamp', 'node_stamp', 'placement']) await restamp(table);
    await this.session.query(`DELETE FROM placement_question WHERE asked_at < now() - interval '1 minute'`);
    return this.epoch;
  }

  /** What was decided so far. */
  async placement(): Promise<Placement> {
    const [placed, homes, lead] = [
      await this.session.query('SELECT channel_id AS id, generation, replicas FROM placement'),
      await this.session.query<{ state_group: string; node: string }>('SELECT state_group, node FROM placement_home'),
      await this.session.query<{ fleet: FleetMemory | null; passed: number | null }>('SELECT fleet, floor(extract(epoch FROM passed_at) * 1000)::float8 AS passed FROM placement_lead WHERE id = 1'),
    ];
    const { fleet, passed } = lead.rows[0]!;
    return {
      channels: new Map(Rows.parse(placed.rows).map(({ id, ...rest }) => [id, ChannelPlacementRow.parse(rest)])),
      homes: new Map(homes.rows.map(({ state_group, node }) => [state_group, node])),
      fleet: { ...(fleet ?? NO_FLEET), lastPassMs: passed },
    };
  }

  /** All of it or nothing. Throws `LeadLost` when somebody else has decided meanwhile. */
  async commit({ changed, homes, nowMs, fleet, summary }: LeadWrite): Promise<void> {
    await this.session.query('BEGIN');
    try {
      const passed = await this.session.query(
        `UPDATE placement_lead SET passed_at = to_timestamp($2::float8 / 1000), fleet = COALESCE($3::jsonb, fleet), summary = COALESCE($4::jsonb, summary) WHERE id = 1 AND epoch = $1`,
        [this.epoch, nowMs, fleet ? JSON.stringify(fleet) : null, summary ? JSON.stringify(summary) : null],
      );
      expectRows(passed.rowCount, 1, 'a later leader decides');
      await this.writeChannels(changed);
      if (homes.size > 0) {
        const written = await this.session.query(
          `INSERT INTO placement_home AS h (state_group, node) SELECT * FROM unnest($1::text[], $2::text[])
           ON CONFLICT (state_group) DO UPDATE SET node = h.node WHERE h.node = EXCLUDED.node`,
          [[...homes.keys()], [...homes.values()]],
        );
        expectRows(written.rowCount, homes.size, 'state has another home by now');
      }
      if (changed.size > 0) await this.notify(STAMPS_TOPIC);
      await this.session.query('COMMIT');
    } catch (error) {
      await this.session.query('ROLLBACK').catch(() => {});
      throw error;
    }
  }

  /** Channels that somebody asks about. */
  async questions(): Promise<{ id: string; channelId: string }[]> {
    const { rows } = await this.session.query<{ id: string; channelId: string }>('SELECT id, channel_id AS "channelId" FROM placement_question WHERE answer IS NULL LIMIT 64');
    return rows;
  }

  async answer(id: string, answer: PlacementAnswer): Promise<void> {
    await this.session.query('UPDATE placement_question SET answer = $2::jsonb WHERE id = $1', [id, JSON.stringify(answer)]);
    await this.notify(placementAnswerTopic(id));
  }

  private async writeChannels(changed: LeadWrite['changed']): Promise<void> {
    const written = [...changed].flatMap(([id, entry]) => (entry ? [{ id, ...entry }] : []));
    if (written.length > 0) {
      const { rowCount } = await this.session.query(
        `INSERT INTO placement AS p (channel_id, generation, replicas, stamp)
         SELECT id, generation, replicas, pg_current_xact_id()::text::bigint FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, generation int, replicas jsonb)
         ON CONFLICT (channel_id) DO UPDATE SET generation = EXCLUDED.generation, replicas = EXCLUDED.replicas, stamp = EXCLUDED.stamp
         WHERE p.generation = EXCLUDED.generation - 1`,
        [JSON.stringify(written)],
      );
      expectRows(rowCount, written.length, 'a channel has another generation by now');
    }
    const gone = [...changed].flatMap(([id, entry]) => (entry ? [] : [id]));
    if (gone.length === 0) return;
    await this.session.query('DELETE FROM placement WHERE channel_id = ANY($1::uuid[])', [gone]);
    await this.session.query('SELECT whorl_stamp_channels($1::uuid[])', [gone]);
  }

  private async notify(topic: string): Promise<void> {
    await this.session.query('SELECT pg_notify($1, $2)', [NOTIFY_CHANNEL, topic]);
  }
}

/** Somebody else decides, or has decided: what this process thought is not to be gone on with. */
export class LeadLost extends Error {}

function expectRows(found: number | null, expected: number, why: string): void {
  if (found !== expected) throw new LeadLost(why);
}

