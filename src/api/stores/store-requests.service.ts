import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { DEFAULT_ORG } from '#contract/ids.js';
import { MAX_STORE_WORK_MS, StoreAnswer, type StoreOperation, StoreRequest } from '#contract/store-request.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { Wakeups } from '#platform/wakeups.js';
import { FleetService } from '../nodes/fleet.service.js';
import { storeAnswerTopic, storeRequestsTopic } from '../topics.js';
import { SecretBox } from '../variables/secret-box.js';
import { StoreRequestRepository } from './store-request.repository.js';

/** The way to a node and back. */
const WAY_MS = 5_000;

export interface AskOptions {
  /** The node that is asked. */
  node?: string | undefined;
  timeoutMs?: number;
}

/** What a node answers when it did what it was asked. */
export type StoreResult = Exclude<StoreAnswer, { result: 'failed' }>;

/** Asks nodes about stores: they come for what they are asked, over a long poll, and bring the answers. */
@Injectable()
export class StoreRequestsService {
  constructor(
    private readonly repository: StoreRequestRepository,
    private readonly fleet: FleetService,
    private readonly wakeups: Wakeups,
    private readonly box: SecretBox,
  ) {}

  /**
   * Has a node do something with a store: the one named, else any that reaches it. Throws API_STORE_NODE_UNCLEAR for a file when there are
   * several nodes, API_STORE_UNREACHABLE when none answers, API_STORE_FAILED, API_SQL_INVALID or API_STORE_TIMEOUT for what it answers.
   */
  async ask(name: string, operation: Exclude<StoreOperation, { op: 'remove' }>, { node, timeoutMs = MAX_STORE_WORK_MS }: AskOptions = {}): Promise<StoreResult> {
    const chosen = await this.choose(name, operation.backend.type === 'spin', node);
    const id = randomUUID();
    const deadlineMs = timeoutMs + WAY_MS;
    try {
      await this.repository.put(chosen, { id, request: this.seal({ id, org: DEFAULT_ORG, timeoutMs, operation }) }, deadlineMs);
      const sealed = await this.wakeups.wait([storeAnswerTopic(id)], () => this.repository.findAnswer(id), { timeoutMs: deadlineMs });
      if (sealed === undefined) throw new WhorlError('API_STORE_UNREACHABLE', `node ${chosen} did not answer for the store ${name} in time`);
      return resultOf(name, StoreAnswer.parse(JSON.parse(this.box.open(sealed, contextOf(id)))));
    } finally {
      await this.repository.forget(id);
    }
  }

  /** Has every node delete a file, whenever it comes. */
  async removeFile(db: Db, file: string): Promise<void> {
    for (const node of await this.repository.nodes(db)) {
      const id = randomUUID();
      await this.repository.put(node, { id, request: this.seal({ id, org: DEFAULT_ORG, timeoutMs: MAX_STORE_WORK_MS, operation: { op: 'remove', file } }) }, null, db);
    }
  }

  /** What a node is asked; waits for something when there is nothing. */
  async next(node: string, waitS: number, signal: AbortSignal): Promise<StoreRequest[]> {
    const some = async (): Promise<StoreRequest[] | undefined> => {
      const taken = await this.repository.take(node);
      return taken.length > 0 ? taken.map(({ id, request }) => StoreRequest.parse(JSON.parse(this.box.open(request, contextOf(id))))) : undefined;
    };
    return (await this.wakeups.wait([storeRequestsTopic(node)], some, { timeoutMs: waitS * 1000, signal })) ?? [];
  }

  /** Takes what a node answers. */
  async answer(node: string, id: string, answer: StoreAnswer): Promise<void> {
    await this.repository.answer(node, id, this.box.seal(JSON.stringify(answer), contextOf(id)));
  }

  private async choose(name: string, isFile: boolean, wanted: string | undefined): Promise<string> {
    const live = await this.fleet.live();
    if (wanted !== undefined) {
      if (live.includes(wanted)) return wanted;
      throw new WhorlError('API_STORE_UNREACHABLE', `there is no live node ${wanted}${live.length > 0 ? `; ${live.join(', ')}` : ''}`);
    }
    if (live.length === 0) throw new WhorlError('API_STORE_UNREACHABLE', `no node is live that would reach the store ${name}`);
    if (isFile && live.length > 1) throw new WhorlError('API_STORE_NODE_UNCLEAR', `${name} is a file, of which each of ${live.join(', ')} has its own`);
    return live[Math.floor(Math.random() * live.length)]!;
  }

  /** It holds what it takes to reach the store, and values. */
  private seal(request: StoreRequest): string {
    return this.box.seal(JSON.stringify(request), contextOf(request.id));
  }
}

const FAILURES = { store: 'API_STORE_FAILED', statement: 'API_SQL_INVALID', late: 'API_STORE_TIMEOUT' } as const;

function resultOf(name: string, answer: StoreAnswer): StoreResult {
  if (answer.result === 'failed') throw new WhorlError(FAILURES[answer.reason], `${name}: ${answer.message}`);
  return answer;
}

const contextOf = (id: string): string => `store-request\n${id}`;
