import { Injectable } from '@nestjs/common';
import { TrafficShare } from '#contract/assignment.js';
import { Registry } from '#contract/registry.js';
import type { Shadow } from '#contract/shadow.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, notify, PrismaService } from '#platform/prisma/prisma.service.js';
import type { ChannelRecord } from '../apps/app.js';
import type { Forced, Held } from '../channels/gate.js';
import { appTopic, ASSIGNMENTS_TOPIC } from '../topics.js';
import type { Capability } from '../diff/capability.schema.js';
import type { AnalysisPolicy } from './analysis/policy.js';
import type { Progress } from './analysis/steps.js';
import type { Verdict } from './analysis/verdict.js';
import type { Failure, RolloutPhase, RolloutState } from './rollout-state.js';
import type { ShadowRecord } from './shadow/shadow-record.js';
import type { StepRecord } from './step-record.js';

/** Of the advisory lock that the replica holds which looks after the rollouts. */
const LEADER_LOCK_KEY = 72707370;

/** What a channel serves when no rollout is under way. */
export type Stable = Pick<ChannelRecord, 'serve' | 'previousVersion'>;

/** What was served before a rollout, and the revision of the values that it had. */
export interface Before extends Stable {
  variablesRevision?: number;
}

/** Names of the variables that got the values of before back, and of those that did not. */
export interface RestoredValues {
  restored: string[];
  left: string[];
}

export interface RolloutRecord {
  id: bigint;
  channelId: string;
  version: number;
  cause: string;
  causedBy: string;
  state: RolloutState;
  phase: RolloutPhase;
  /** As it is written. */
  strategy: string;
  /** Chooses the version of a request while it has a share of them; null: cookie or address. */
  keyHeader: string | null;
  /** null: nothing is judged, as of those that began before there was a judgement. */
  policy: AnalysisPolicy | null;
  /** null: it has not begun its first step. */
  progress: Progress | null;
  steps: StepRecord[] | null;
  verdict: Verdict | null;
  /** What a webhook says against the next step; null: nothing. */
  gate: string | null;
  /** null: no copies of requests are made. */
  shadow: ShadowRecord | null;
  generation: number | null;
  /** What is served again when it does not go well. */
  before: Before | null;
  /** A way back leaves the values of the variables as they are. */
  keepVariables: boolean;
  restored: RestoredValues | null;
  failure: Failure | null;
  /** What it waits for; null: nothing of the channel's. */
  held: Held | null;
  /** Who let it go on in spite of what; null: nobody. */
  forced: Forced | null;
  /** What somebody must agree to, or has decided on; null: nobody was asked. */
  asks: Capability[] | null;
  /** Name of the token. */
  decidedBy: string | null;
  decidedAt: Date | null;
  createdAt: Date;
  deadlineAt: Date | null;
  endedAt: Date | null;
}

export type RolloutUpdate = Partial<Pick<RolloutRecord, 'state' | 'phase' | 'progress' | 'steps' | 'verdict' | 'shadow' | 'gate' | 'generation' | 'before' | 'restored' | 'failure' | 'held' | 'forced' | 'asks' | 'decidedBy' | 'decidedAt' | 'deadlineAt'>> & { ended?: boolean };

export type NewRollout = Pick<RolloutRecord, 'channelId' | 'version' | 'cause' | 'causedBy' | 'asks' | 'strategy' | 'keyHeader' | 'keepVariables' | 'policy' | 'shadow' | 'held' | 'forced'>;

export interface DeploymentCause {
  cause: string;
  causedBy: string;
  rolloutId: bigint;
  /** See `RolloutRecord`; undefined: as before. */
  keyHeader?: string | null;
  /** The version that gets copies; undefined: none does. */
  shadow?: Shadow;
}

/** Only who judges reads it, and it is large. */
const omit = { judgement: true } as const;

@Injectable()
export class RolloutRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly registry: Registry,
  ) {}

  async find(id: bigint, db: Db = this.prisma): Promise<RolloutRecord | undefined> {
    const row = await db.rollout.findUnique({ where: { id }, omit });
    return row ? (row as unknown as RolloutRecord) : undefined;
  }

  /** Those that have not ended, in the order they began. */
  async active(db: Db, channelId: string): Promise<RolloutRecord[]> {
    return (await db.rollout.findMany({ where: { channelId, endedAt: null }, orderBy: { id: 'asc' }, omit })) as unknown as RolloutRecord[];
  }

  /** Channels with a rollout that has not ended, and waits for nobody. */
  async activeChannels(): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ channel_id: string }[]>`SELECT DISTINCT channel_id FROM rollout WHERE ended_at IS NULL AND phase <> 'awaiting-approval'`;
    return rows.map((row) => row.channel_id);
  }

  /** undefined when the channel or its app is gone. Nobody else changes the app (see AppRepository.lock) before the transaction ends. */
  async lockChannel(db: Db, id: string): Promise<ChannelRecord | undefined> {
    await db.$queryRaw`SELECT 1 FROM app WHERE id = (SELECT app_id FROM channel WHERE id = ${id}::uuid) FOR NO KEY UPDATE`;
    const [row] = await db.$queryRaw<(Omit<ChannelRecord, 'serve'> & { serve: unknown })[]>`
      SELECT c.id, c.app_id AS "appId", a.name AS app, c.name AS channel, c.generation, c.first_generation AS "firstGeneration", c.serve,
        c.previous_version AS "previousVersion"
      FROM channel c JOIN app a ON a.id = c.app_id
      WHERE c.id = ${id}::uuid AND a.deleted_at IS NULL AND c.deleted_at IS NULL`;
    return row && { ...row, serve: TrafficShare.array().parse(row.serve) };
  }

  /** @param rollout with `asks`, which may be empty: it begins when somebody has agreed to them */
  async create(db: Db, rollout: NewRollout): Promise<RolloutRecord> {
    const phase: RolloutPhase = rollout.asks === null ? 'preparing' : 'awaiting-approval';
    const state: RolloutState = rollout.asks === null && rollout.held === null ? 'progressing' : 'paused';
    const asks = rollout.asks && JSON.stringify(rollout.asks);
    // The database's clock, as in the nodes' reports that are compared with it; a transaction's now() would be its beginning.
    const [row] = await db.$queryRaw<{ id: bigint; created_at: Date }[]>`
      INSERT INTO rollout (channel_id, version, cause, caused_by, state, phase, strategy, key_header, keep_variables, policy, shadow, asks, held, forced, created_at)
      VALUES (${rollout.channelId}::uuid, ${rollout.version}, ${rollout.cause}, ${rollout.causedBy}, ${state}, ${phase}, ${rollout.strategy}, ${rollout.keyHeader}, ${rollout.keepVariables},
        ${JSON.stringify(rollout.policy)}::jsonb, ${textOf(rollout.shadow)}::jsonb, ${asks}::jsonb, ${textOf(rollout.held)}::jsonb, ${textOf(rollout.forced)}::jsonb, clock_timestamp()) RETURNING id, created_at`;
    return { ...rollout, id: row!.id, createdAt: row!.created_at, state, phase, progress: null, steps: null, verdict: null, gate: null, generation: null, before: null, restored: null, failure: null, decidedBy: null, decidedAt: null, deadlineAt: null, endedAt: null };
  }

  async update(db: Db, id: bigint, { ended, before, restored, progress, steps, verdict, shadow, failure, held, forced, asks, ...change }: RolloutUpdate): Promise<void> {
    await db.rollout.update({
      where: { id },
      data: {
        ...change,
        ...(before && { before: before as object }),
        ...(restored && { restored: restored as object }),
        ...(progress && { progress: progress as object }),
        ...(steps && { steps: steps as object }),
        ...(verdict && { verdict: verdict as object }),
        ...(shadow && { shadow: shadow as object }),
        ...(failure && { failure: failure as object }),
        ...(held !== undefined && { held: held ?? Prisma.DbNull }),
        ...(forced !== undefined && { forced: forced ?? Prisma.DbNull }),
        ...(asks && { asks }),
        ...(ended && { endedAt: new Date(), judgement: Prisma.DbNull }),
      },
    });
  }

  /** The newest one. */
  async latest(channelId: string): Promise<RolloutRecord | undefined> {
    return (await this.list(channelId, undefined, 1))[0];
  }

  /** Newest first, below `before` when it is given. */
  async list(channelId: string, before: bigint | undefined, limit: number): Promise<RolloutRecord[]> {
    return (await this.prisma.rollout.findMany({ where: { channelId, ...(before !== undefined && { id: { lt: before } }) }, orderBy: { id: 'desc' }, take: limit, omit })) as unknown as RolloutRecord[];
  }

  /** Notes who agreed, by the database's clock, and lets it begin. */
  async approve(db: Db, id: bigint, decidedBy: string): Promise<Date> {
    const [row] = await db.$queryRaw<{ decided_at: Date }[]>`
      UPDATE rollout SET state = 'progressing', phase = 'preparing', decided_by = ${decidedBy}, decided_at = clock_timestamp() WHERE id = ${id} RETURNING decided_at`;
    return row!.decided_at;
  }

  /** What a version is built for, or why not; what the control plane builds for is there by and by. */
  async buildsOf(db: Db, appId: string, number: number): Promise<{ engine: string; failure: Failure | null }[]> {
    const rows = (await db.versionBuild.findMany({ where: { appId, number }, select: { engine: true, failure: true } })) as { engine: string; failure: Failure | null }[];
    const { engine } = this.registry;
    return rows.some((row) => row.engine === engine) ? rows : [...rows, { engine, failure: null }];
  }

  /** Writes what the channel serves from now on, and remembers it in its history. */
  async deploy(db: Db, channel: ChannelRecord, { cause, causedBy, keyHeader, shadow, rolloutId, values }: DeploymentCause & { values: { before: number; after: number } }): Promise<void> {
    const { id, generation, previousVersion } = channel;
    const serve = channel.serve as unknown as Prisma.InputJsonValue;
    await db.channel.update({ where: { id }, data: { generation, serve, previousVersion, shadow: shadow ?? Prisma.DbNull, ...(keyHeader !== undefined && { keyHeader }) } });
    await db.deployment.updateMany({ where: { channelId: id, generation: generation - 1 }, data: { variablesUntil: values.before } });
    await db.deployment.create({ data: { channelId: id, generation, serve, cause, causedBy, rolloutId, variablesRevision: values.after } });
  }

  /** Of the app's values now. */
  async valuesRevision(db: Db, appId: string): Promise<number> {
    return (await db.app.findUniqueOrThrow({ where: { id: appId }, select: { variablesRevision: true } })).variablesRevision;
  }

  /** Of the values that a version had when it last ceased to answer all requests of a channel; undefined: it does so now, never did, or nobody noted it. */
  async lastValuesOf(db: Db, channelId: string, version: number): Promise<number | undefined> {
    const [row] = await db.$queryRaw<{ revision: number | null }[]>`
      SELECT variables_until AS revision FROM deployment
      WHERE channel_id = ${channelId}::uuid AND jsonb_array_length(serve) = 1 AND (serve->0->>'version')::int = ${version}
      ORDER BY generation DESC LIMIT 1`;
    return row?.revision ?? undefined;
  }

  /** Sets or clears the reason why a version does not serve. */
  async setFailure(db: Db, { appId }: ChannelRecord, number: number, failure: Failure | null): Promise<void> {
    await db.version.updateMany({ where: { appId, number }, data: { failure: failure === null ? Prisma.DbNull : (failure as object) } });
  }

  /** Tells the nodes, and whoever waits for the app's rollouts. */
  async announce(db: Db, appId: string): Promise<void> {
    await notify(db, ASSIGNMENTS_TOPIC, appTopic(appId));
  }

  /** True for one replica at a time, until the transaction ends. */
  async tryLead(db: Db): Promise<boolean> {
    const [row] = await db.$queryRaw<{ leads: boolean }[]>`SELECT pg_try_advisory_xact_lock(${LEADER_LOCK_KEY}) AS leads`;
    return row!.leads;
  }
}

const textOf = (value: object | null): string | null => (value === null ? null : JSON.stringify(value));
