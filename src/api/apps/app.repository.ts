import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { TrafficShare } from '#contract/assignment.js';
import { DEFAULT_CHANNEL, DEFAULT_ORG } from '#contract/ids.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, notify, PrismaService } from '#platform/prisma/prisma.service.js';
import { appTopic, ASSIGNMENTS_TOPIC } from '../topics.js';
import type { AppRecord } from './app.js';

interface AppRow {
  id: string;
  name: string;
  last_version: number;
  variables_revision: number;
  created_at: Date;
  channel_id: string;
  channel: string;
  generation: number;
  first_generation: number;
  serve: unknown;
  previous_version: number | null;
  revision: number;
  rollout_version: number | null;
  rollout_state: 'progressing' | 'paused' | null;
  rollout_phase: 'awaiting-approval' | 'preparing' | 'switching' | 'holding' | null;
}

const ORG_ID = Prisma.sql`(SELECT id FROM org WHERE name = ${DEFAULT_ORG})`;

/** Which channel of an app: by name, or by id. */
export type ChannelChoice = string | { id: string };

const LIVE = Prisma.sql`a.deleted_at IS NULL AND a.org_id = ${ORG_ID}`;
/** Every live channel of every live app. */
const SELECT = Prisma.sql`
  SELECT a.id, a.name, a.last_version, a.variables_revision, a.created_at,
    c.id AS channel_id, c.name AS channel, c.generation, c.first_generation, c.serve, c.previous_version, c.revision, r.version AS rollout_version, r.state AS rollout_state, r.phase AS rollout_phase
  FROM app a
  JOIN channel c ON c.app_id = a.id AND c.deleted_at IS NULL
  LEFT JOIN LATERAL (SELECT version, state, phase FROM rollout WHERE channel_id = c.id AND ended_at IS NULL ORDER BY id DESC LIMIT 1) r ON true
  WHERE ${LIVE}`;

@Injectable()
export class AppRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** undefined when there is no such app, or the app has no such channel. */
  async find(name: string, channel: ChannelChoice, db: Db = this.prisma): Promise<AppRecord | undefined> {
    const which = typeof channel === 'string' ? Prisma.sql`c.name = ${channel}` : Prisma.sql`c.id = ${channel.id}::uuid`;
    const [row] = await db.$queryRaw<AppRow[]>`${SELECT} AND a.name = ${name} AND ${which}`;
    return row && toRecord(row);
  }

  /** The app with each of its channels, by name; empty when there is no such app. */
  async lanes(name: string, db: Db = this.prisma): Promise<AppRecord[]> {
    return (await db.$queryRaw<AppRow[]>`${SELECT} AND a.name = ${name} ORDER BY c.name`).map(toRecord);
  }

  /** As `find`; nobody else changes the app, its channels or their rollouts before the transaction ends. */
  async lock(db: Db, name: string, channel: ChannelChoice): Promise<AppRecord | undefined> {
    // The app's row is the one lock of all that belongs to it: a second one, on the channel, would end in deadlocks, since foreign keys
    // are checked against the app. And first the lock alone: what was waited for must be read as it is afterwards.
    const locked = await db.$queryRaw<unknown[]>`
      SELECT 1 FROM app a WHERE a.name = ${name} AND a.deleted_at IS NULL AND a.org_id = ${ORG_ID} FOR NO KEY UPDATE`;
    return locked.length > 0 ? this.find(name, channel, db) : undefined;
  }

  async list(after: string, limit: number): Promise<AppRecord[]> {
    const rows = await this.prisma.$queryRaw<AppRow[]>`${SELECT} AND c.name = ${DEFAULT_CHANNEL} AND a.name > ${after} ORDER BY a.name LIMIT ${limit}`;
    return rows.map(toRecord);
  }

  /** Makes the app and its channel unless the name is taken. Generation and revision go on from earlier apps of this name. */
  async create(db: Db, name: string): Promise<void> {
    const id = randomUUID();
    const made = await db.$executeRaw`
      INSERT INTO app (id, org_id, name, variables_revision)
      SELECT ${id}::uuid, ${ORG_ID}, ${name}, COALESCE((SELECT max(variables_revision) + 1 FROM app WHERE name = ${name} AND org_id = ${ORG_ID}), 0)
      ON CONFLICT (org_id, name) WHERE deleted_at IS NULL DO NOTHING`;
    if (made > 0) await this.createChannel(db, { id, name }, DEFAULT_CHANNEL);
  }

  /** Makes a channel; its generation goes on from earlier ones of this name. False when the name is taken. The app is locked, or new. */
  async createChannel(db: Db, { id, name }: Pick<AppRecord, 'id' | 'name'>, channel: string): Promise<boolean> {
    const made = await db.$executeRaw`
      INSERT INTO channel (id, app_id, name, generation, first_generation, serve)
      SELECT ${randomUUID()}::uuid, ${id}::uuid, ${channel}, first, first, '[]'::jsonb FROM (
        SELECT COALESCE(max(c.generation) + 1, 0) AS first FROM channel c JOIN app a ON a.id = c.app_id
        WHERE a.name = ${name} AND a.org_id = ${ORG_ID} AND c.name = ${channel}) earlier
      ON CONFLICT (app_id, name) WHERE deleted_at IS NULL DO NOTHING`;
    return made > 0;
  }

  /** Frees the name of a channel: its values, configuration, links and rule go, its rollouts end; what it has served stays known. The app is locked. */
  async removeChannel(db: Db, { id: appId, name, channel: { id, channel } }: AppRecord): Promise<void> {
    await this.endRollouts(db, [id], { code: 'API_CHANNEL_NOT_FOUND', message: `the channel ${channel} of ${name} was deleted` });
    await db.$executeRaw`DELETE FROM deploy_on_push WHERE channel_id = ${id}::uuid`;
    const gone = JSON.stringify({ code: 'API_CHANNEL_NOT_FOUND', message: 'the channel was deleted before it was deployed' });
    await db.$executeRaw`UPDATE tag_push SET state = 'skipped', reason = ${gone}::jsonb, retry_at = NULL, ended_at = now() WHERE channel_id = ${id}::uuid AND state = 'pending'`;
    await db.$executeRaw`DELETE FROM variable WHERE app_id = ${appId}::uuid AND channel = ${channel}`;
    await db.$executeRaw`DELETE FROM store_link WHERE app_id = ${appId}::uuid AND channel = ${channel}`;
    await db.$executeRaw`DELETE FROM runtime_config WHERE place = ${`channel/${appId}/${channel}`}`;
    await db.$executeRaw`UPDATE channel SET deleted_at = now(), serve = '[]'::jsonb, previous_version = NULL, rule = NULL WHERE id = ${id}::uuid`;
    await notify(db, ASSIGNMENTS_TOPIC, appTopic(appId));
  }

  /** The next revision of the app's values and runtime configuration, with the nodes told. */
  async raiseRevision(db: Db, appId: string): Promise<number> {
    const { variablesRevision } = await db.app.update({ where: { id: appId }, data: { variablesRevision: { increment: 1 } } });
    await notify(db, ASSIGNMENTS_TOPIC);
    return variablesRevision;
  }

  /** The same for several apps, all when no names are given; nobody else changes one before the transaction ends. Answers each with each channel. */
  async raiseRevisions(db: Db, names: string[] | null): Promise<AppRecord[]> {
    const which = Prisma.sql`${LIVE} AND (${names}::text[] IS NULL OR a.name = ANY(${names}::text[]))`;
    // In one order, so that two who lock several never wait for each other in a ring.
    await db.$queryRaw`SELECT 1 FROM app a WHERE ${which} ORDER BY a.id FOR NO KEY UPDATE`;
    await db.$executeRaw`UPDATE app a SET variables_revision = variables_revision + 1 WHERE ${which}`;
    await notify(db, ASSIGNMENTS_TOPIC);
    return (await db.$queryRaw<AppRow[]>`${SELECT} AND (${names}::text[] IS NULL OR a.name = ANY(${names}::text[])) ORDER BY a.name, c.name`).map(toRecord);
  }

  /** Frees the name. Versions, usage and logs stay under the old identity. */
  async remove(db: Db, app: Pick<AppRecord, 'id' | 'name'>, channelIds: string[]): Promise<void> {
    await db.$executeRaw`UPDATE app SET deleted_at = now() WHERE id = ${app.id}::uuid`;
    await this.endRollouts(db, channelIds, { code: 'API_APP_NOT_FOUND', message: `the app ${app.name} was deleted` });
    await notify(db, ASSIGNMENTS_TOPIC, appTopic(app.id));
  }

  private async endRollouts(db: Db, channelIds: string[], failure: { code: string; message: string }): Promise<void> {
    await db.$executeRaw`
      UPDATE rollout SET state = 'aborted', ended_at = now(), failure = ${JSON.stringify(failure)}::jsonb
      WHERE ended_at IS NULL AND channel_id = ANY(${channelIds}::uuid[])`;
    await db.$executeRaw`DELETE FROM rollout_interval WHERE channel_id = ANY(${channelIds}::uuid[])`;
  }
}

function toRecord(row: AppRow): AppRecord {
  return {
    id: row.id,
    name: row.name,
    lastVersion: row.last_version,
    variablesRevision: row.variables_revision,
    createdAt: row.created_at,
    channel: {
      id: row.channel_id,
      appId: row.id,
      app: row.name,
      channel: row.channel,
      generation: row.generation,
      firstGeneration: row.first_generation,
      serve: TrafficShare.array().parse(row.serve),
      previousVersion: row.previous_version,
      revision: row.revision,
    },
    rollout: row.rollout_version === null || row.rollout_state === null || row.rollout_phase === null ? null : { version: row.rollout_version, state: row.rollout_state, phase: row.rollout_phase },
  };
}
