import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { type Page, readCursor, toPage } from '#platform/http/page.js';
import type { ServerSentEvent } from '#platform/http/sse.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { Wakeups } from '#platform/wakeups.js';
import { appTopic, collectionTopic, operationTopic } from '../topics.js';
import { cannotCancel, type OperationFailure, type OperationKind, type OperationStep } from './operation.js';
import { type NewOperation, OperationRepository, type OperationRecord } from './operation.repository.js';
import type { OperationsQuery, OperationView } from './operation.schema.js';
import { toView } from './operation.view.js';

/** How long one wait of a follower lasts before it looks again by itself. */
const LOOK_AGAIN_MS = 30_000;

/** Ends what an operation does, or sees that it is going to be ended. Called with nothing locked. Throws a WhorlError that says why it cannot. */
export type Canceller = (operation: OperationRecord, by: string) => Promise<void>;

/**
 * Long actions as resources. Whoever does something that takes longer than a request begins an operation in the transaction that notes
 * what is to be done, and tells its steps in the transactions that note what was done: so it goes on after any restart with whoever goes
 * on with the work itself. What is a rollout or a collection is read from that and told nothing.
 */
@Injectable()
export class OperationsService {
  private readonly cancellers = new Map<OperationKind, Canceller>();

  constructor(
    private readonly repository: OperationRepository,
    private readonly prisma: PrismaService,
    private readonly wakeups: Wakeups,
  ) {}

  /** How operations of a kind are ended; those of a kind without cannot be. */
  onCancel(kinds: readonly OperationKind[], canceller: Canceller): void {
    for (const kind of kinds) this.cancellers.set(kind, canceller);
  }

  /** Answers its number. */
  begin(operation: NewOperation, db?: Db): Promise<bigint> {
    return this.repository.create(operation, db);
  }

  /** The next step begins, and the one before it has ended. Nothing happens when it is at that step, or has ended. */
  async step(id: bigint, name: string, { detail = null, db }: { detail?: string | null; db?: Db } = {}): Promise<void> {
    await this.change(id, db, async (tx, { steps }) => {
      const last = steps.at(-1);
      const again = last?.name === name && last.endedAt === null;
      if (again && last.detail === detail) return;
      const now = new Date().toISOString();
      const next = again ? [...steps.slice(0, -1), { ...last, detail }] : [...endAll(steps, now), { name, startedAt: now, endedAt: null, detail }];
      await this.repository.update(tx, id, { steps: next });
    });
  }

  /** It has done what it was to do. Nothing happens when it has ended. */
  async succeed(id: bigint, result: Record<string, unknown> = {}, db?: Db): Promise<void> {
    await this.change(id, db, (tx, { steps }) => this.repository.update(tx, id, { state: 'succeeded', steps: endAll(steps, new Date().toISOString()), result, ended: true }));
  }

  /** It cannot. Nothing happens when it has ended. */
  async fail(id: bigint, failure: OperationFailure, db?: Db): Promise<void> {
    await this.change(id, db, (tx, { steps }) => this.repository.update(tx, id, { state: 'failed', steps: endAll(steps, new Date().toISOString()), failure, ended: true }));
  }

  /** What somebody asked to cancel has been left. Nothing happens when it has ended. */
  async cancelled(id: bigint, failure: OperationFailure, db?: Db): Promise<void> {
    await this.change(id, db, (tx, { steps }) => this.repository.update(tx, id, { state: 'cancelled', steps: endAll(steps, new Date().toISOString()), failure, ended: true }));
  }

  /** The operation that is a rollout; undefined: of before there were any. */
  async ofRollout(rolloutId: bigint, db?: Db): Promise<number | undefined> {
    const found = await this.repository.idOf({ rolloutId }, db);
    return found && Number(found.id);
  }

  /** The operation that is a collection; undefined: it is forgotten. */
  async ofCollection(collectionId: string): Promise<number | undefined> {
    const found = await this.repository.idOf({ collectionId });
    return found && Number(found.id);
  }

  /** The rollout that was begun under an idempotency key: its request is tried again. */
  async rolloutOfRequest(requestId: string, db: Db): Promise<bigint | undefined> {
    return (await this.repository.idOf({ requestId }, db))?.rolloutId ?? undefined;
  }

  /** Throws API_OPERATION_NOT_FOUND. */
  async get(id: number): Promise<OperationView> {
    return toView(await this.find(id));
  }

  async list({ limit, cursor, ...filter }: OperationsQuery): Promise<Page<OperationView>> {
    const before = readCursor(cursor, z.coerce.bigint().positive());
    return toPage(await this.repository.list(filter, before, limit + 1), limit, ({ id }) => String(id), toView);
  }

  /** What it is when it has ended, or the time is up. Throws API_OPERATION_NOT_FOUND. */
  async wait(id: number, waitS: number): Promise<OperationView> {
    const operation = await this.find(id);
    if (waitS === 0 || operation.state !== 'running') return toView(operation);
    const ended = async (): Promise<OperationView | undefined> => {
      const now = await this.get(id);
      return now.state === 'running' ? undefined : now;
    };
    return (await this.wakeups.wait([topicOf(operation)], ended, { timeoutMs: waitS * 1000 })) ?? this.get(id);
  }

  /**
   * The operation as it is now, unless the client has seen that (`lastEventId`), and again after each change, until it has ended. Throws
   * API_OPERATION_NOT_FOUND before anything is sent.
   */
  async follow(id: number, lastEventId: string | undefined): Promise<(signal: AbortSignal) => AsyncIterable<ServerSentEvent>> {
    const operation = await this.find(id);
    return (signal) => this.events(operation, lastEventId, signal);
  }

  /**
   * Ends an operation; what it has done is taken back as far as its kind says. Throws API_OPERATION_NOT_FOUND, API_OPERATION_ENDED,
   * API_OPERATION_NOT_CANCELLABLE, and what its kind throws.
   */
  async cancel(id: number, by: string): Promise<OperationView> {
    const operation = await this.find(id);
    const canceller = this.cancellers.get(operation.kind);
    const reason = cannotCancel(operation, canceller !== undefined);
    if (reason) throw new WhorlError(reason.code, `operation ${id}: ${reason.message}`);
    await canceller!(operation, by);
    // What takes a while to end says who wanted it.
    await this.change(operation.id, undefined, (db) => this.repository.askToCancel(db, operation.id, by));
    return this.get(id);
  }

  /** Forgets those that ended before the date; rollouts stay with their channels. Answers how many. */
  removeBefore(date: Date): Promise<number> {
    return this.repository.removeBefore(date);
  }

  private async *events(operation: OperationRecord, lastEventId: string | undefined, signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
    let seen = lastEventId;
    const changed = async (): Promise<OperationView | undefined> => {
      const now = await this.get(Number(operation.id));
      return now.revision === seen && now.state === 'running' ? undefined : now;
    };
    while (!signal.aborted) {
      const now = await this.wakeups.wait([topicOf(operation)], changed, { timeoutMs: LOOK_AGAIN_MS, signal });
      if (!now) continue;
      // Who has seen its end is told nothing more.
      if (now.revision !== seen) yield { id: now.revision, event: now.state === 'running' ? 'change' : 'end', data: now };
      seen = now.revision;
      if (now.state !== 'running') return;
    }
  }

  private async find(id: number): Promise<OperationRecord> {
    const found = await this.repository.find(BigInt(id));
    if (!found) throw new WhorlError('API_OPERATION_NOT_FOUND', `there is no operation ${id}`);
    return found;
  }

  private async change(id: bigint, db: Db | undefined, work: (db: Db, operation: OperationRecord) => Promise<void>): Promise<void> {
    const run = async (tx: Db): Promise<void> => {
      const operation = await this.repository.lock(tx, id);
      if (operation?.state === 'running') await work(tx, operation);
    };
    await (db ? run(db) : this.prisma.transaction(run));
  }
}

function endAll(steps: readonly OperationStep[], at: string): OperationStep[] {
  return steps.map((step) => (step.endedAt === null ? { ...step, endedAt: at } : step));
}

/** Whoever changes it notifies this. */
function topicOf({ id, appId, rollout, collectionId }: OperationRecord): string {
  if (rollout && appId !== null) return appTopic(appId);
  return collectionId === null ? operationTopic(id) : collectionTopic(collectionId);
}
