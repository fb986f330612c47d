import { Injectable } from '@nestjs/common';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, notify, PrismaService } from '#platform/prisma/prisma.service.js';
import type { Held } from '../channels/gate.js';
import { operationTopic } from '../topics.js';
import type { OperationFailure, OperationKind, OperationState, OperationStep, OperationTarget, RolloutFacts } from './operation.js';

/** What begins. One that is a rollout or a collection names it and has no state of its own. */
export interface NewOperation {
  kind: OperationKind;
  target: OperationTarget;
  /** Name of the token. */
  causedBy: string;
  appId?: string;
  rolloutId?: bigint;
  collectionId?: string;
  /** Of the idempotency key under which it was asked for. */
  requestId?: string | undefined;
  /** The step that it begins with, of one that has its own. */
  step?: string;
}

export interface OperationRecord {
  id: bigint;
  kind: OperationKind;
  appId: string | null;
  target: OperationTarget;
  causedBy: string;
  state: OperationState;
  /** Of its own; those of a rollout follow from that. */
  steps: OperationStep[];
  result: Record<string, unknown> | null;
  failure: OperationFailure | null;
  cancelAskedBy: string | null;
  cancelAskedAt: Date | null;
  createdAt: Date;
  endedAt: Date | null;
  collectionId: string | null;
  rollout: (RolloutFacts & { pausedFor: string | null; held: Held | null }) | null;
  /** When the collection that it is began and ended, and what it has done. */
  collection: { startedAt: string; endedAt: string | null; report: Record<string, unknown> | null } | null;
}

export interface OperationFilter {
  app?: string | undefined;
  kind?: OperationKind | undefined;
  state?: OperationState | undefined;
}

export interface OperationChange {
  state?: OperationState;
  steps?: OperationStep[];
  result?: Record<string, unknown> | null;
  failure?: OperationFailure | null;
  ended?: boolean;
}

/** As `stateOfRollout`; of a collection likewise. */
const STATE = Prisma.sql`
  CASE WHEN r.id IS NOT NULL THEN CASE r.state WHEN 'promoted' THEN 'succeeded' WHEN 'rolled_back' THEN 'failed' WHEN 'aborted' THEN 'cancelled' ELSE 'running' END
    WHEN k.id IS NOT NULL THEN CASE k.state WHEN 'done' THEN 'succeeded' ELSE k.state END
    ELSE o.state END`;

const SELECT = Prisma.sql`
  SELECT o.id, o.kind, o.app_id AS "appId", o.target, o.caused_by AS "causedBy", ${STATE} AS state, o.steps, o.result,
    CASE WHEN r.id IS NOT NULL THEN r.failure WHEN k.id IS NOT NULL THEN k.failure ELSE o.failure END AS failure,
    o.cancel_asked_by AS "cancelAskedBy", o.cancel_asked_at AS "cancelAskedAt", o.created_at AS "createdAt",
    CASE WHEN r.id IS NOT NULL THEN r.ended_at WHEN k.id IS NOT NULL THEN k.ended_at ELSE o.ended_at END AS "endedAt", o.collection_id AS "collectionId",
    CASE WHEN r.id IS NOT NULL THEN jsonb_build_object('rollout', r.id, 'state', r.state, 'phase', r.phase, 'generation', r.generation,
      'steps', COALESCE(r.steps, '[]'::jsonb), 'failure', r.failure, 'asked', r.asks IS NOT NULL, 'decidedAt', to_char(r.decided_at AT TIME ZONE 'UTC', ${'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'}),
      'createdAt', to_char(r.created_at AT TIME ZONE 'UTC', ${'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'}), 'endedAt', to_char(r.ended_at AT TIME ZONE 'UTC', ${'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'}),
      'pausedFor', r.progress->'reason', 'held', r.held) END AS rollout,
    CASE WHEN k.id IS NOT NULL THEN jsonb_build_object('startedAt', to_char(k.started_at AT TIME ZONE 'UTC', ${'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'}),
      'endedAt', to_char(k.ended_at AT TIME ZONE 'UTC', ${'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'}), 'report', k.report::jsonb) END AS collection
  FROM operation o LEFT JOIN rollout r ON r.id = o.rollout_id LEFT JOIN collection k ON k.id = o.collection_id`;

@Injectable()
export class OperationRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Answers its number. */
  async create(operation: NewOperation, db: Db = this.prisma): Promise<bigint> {
    const { kind, target, causedBy, appId, rolloutId, collectionId, requestId, step } = operation;
    const steps = step === undefined ? [] : [{ name: step, startedAt: new Date().toISOString(), endedAt: null, detail: null }];
    const { id } = await db.operation.create({
      data: { kind, target, causedBy, steps, ...(appId !== undefined && { appId }), ...(rolloutId !== undefined && { rolloutId }), ...(collectionId !== undefined && { collectionId }), ...(requestId !== undefined && { requestId }) },
      select: { id: true },
    });
    return id;
  }

  async find(id: bigint, db: Db = this.prisma): Promise<OperationRecord | undefined> {
    const [row] = await db.$queryRaw<OperationRecord[]>`${SELECT} WHERE o.id = ${id}`;
    return row;
  }

  /** Locks it until the transaction ends; of one that is a rollout, its app has to be locked. */
  async lock(db: Db, id: bigint): Promise<OperationRecord | undefined> {
    await db.$queryRaw`SELECT 1 FROM operation WHERE id = ${id} FOR NO KEY UPDATE`;
    return this.find(id, db);
  }

  /** Newest first, below `before` when it is given. */
  async list({ app, kind, state }: OperationFilter, before: bigint | undefined, limit: number): Promise<OperationRecord[]> {
    return this.prisma.$queryRaw<OperationRecord[]>`
      ${SELECT} WHERE (${before ?? null}::bigint IS NULL OR o.id < ${before ?? null}::bigint) AND (${kind ?? null}::text IS NULL OR o.kind = ${kind ?? null}::text)
        AND (${app ?? null}::text IS NULL OR o.app_id IN (SELECT id FROM app WHERE name = ${app ?? null}::text AND deleted_at IS NULL))
        AND (${state ?? null}::text IS NULL OR ${STATE} = ${state ?? null}::text)
      ORDER BY o.id DESC LIMIT ${limit}`;
  }

  /** The operation that is this rollout or collection, or that was begun under an idempotency key. */
  async idOf(which: { rolloutId: bigint } | { collectionId: string } | { requestId: string }, db: Db = this.prisma): Promise<{ id: bigint; rolloutId: bigint | null } | undefined> {
    return (await db.operation.findUnique({ where: which, select: { id: true, rolloutId: true } })) ?? undefined;
  }

  /** Changes one that is neither a rollout nor a collection; whoever waits for it is told. */
  async update(db: Db, id: bigint, { ended, steps, result, failure, ...change }: OperationChange): Promise<void> {
    await db.operation.update({
      where: { id },
      data: { ...change, ...(steps && { steps: steps as object[] }), ...(result && { result: result as object }), ...(failure && { failure: failure as object }), ...(ended && { endedAt: new Date() }) },
      select: { id: true },
    });
    await notify(db, operationTopic(id));
  }

  async askToCancel(db: Db, id: bigint, by: string): Promise<void> {
    await db.operation.update({ where: { id }, data: { cancelAskedBy: by, cancelAskedAt: new Date() }, select: { id: true } });
    await notify(db, operationTopic(id));
  }

  /** Forgets those that ended before the date and are no rollout. Answers how many. */
  async removeBefore(date: Date): Promise<number> {
    return (await this.prisma.operation.deleteMany({ where: { endedAt: { lt: date }, rolloutId: null } })).count;
  }
}
