import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import type { NodeWish } from '#contract/node-facts.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { OperationsService } from '../operations/operations.service.js';
import { SharedLook } from '../scheduler/shared-look.js';
import { advanceDrain, beginDrain, countStates, type DrainRecord, type DrainSurroundings, inState } from './drain-record.js';
import { BoundChannelsService } from './bound-channels.service.js';
import { DrainRepository, type DrainRow } from './drain.repository.js';

const MOVE = 'move';

type Bound = ReadonlyMap<string, string>;

/** Drains, as the reports of all nodes show them. Moving what a node has is placement's work: it goes by what is wanted of the node. */
@Injectable()
export class DrainService {
  /** Reports come many at a time; they share the look. */
  private readonly advancing = new SharedLook(() => this.advanceAll());

  constructor(
    private readonly repository: DrainRepository,
    private readonly operations: OperationsService,
    private readonly bound: BoundChannelsService,
    private readonly prisma: PrismaService,
  ) {
    operations.onCancel(['drain'], async ({ target }, by) => void (await this.want(String(target['node']), 'active', by)));
  }

  /** Something was reported: looks at each drain that is under way, and begins those of nodes that leave by themselves. */
  advance(): Promise<unknown> {
    return this.advancing.get();
  }

  /**
   * Of a node that leaves by itself: whether there are others that could take over, and whether it has nothing to wait for, since there are none or
   * they serve what it serves, but for what is bound to it.
   */
  async departure(name: string): Promise<{ mayGo: boolean; others: boolean }> {
    if (!(await this.repository.hasSuccessors(name))) return { mayGo: true, others: false };
    const bound = await this.boundTo(name);
    return this.prisma.transaction(async (db) => {
      const row = await this.repository.lock(db, name);
      if (!row) return { mayGo: true, others: true };
      const next = advanceDrain(isOpen(row.drain) ? row.drain : beginDrain('node', row, row.now.getTime()), row, await this.surroundings(db, row, bound), row.now.getTime());
      return { mayGo: !Object.values(next.channels).some(({ state }) => state === 'waiting'), others: true };
    });
  }

  /**
   * Changes what is wanted of a node: `draining` begins a drain, as an operation, unless one is under way; anything else ends it. Answers false
   * when there is no such node.
   * @param by name of the token of whoever asked for it
   */
  async want(name: string, wanted: NodeWish, by = 'the platform'): Promise<boolean> {
    const bound = await this.boundTo(name);
    return this.prisma.transaction(async (db) => {
      const row = await this.repository.lock(db, name);
      if (!row) return false;
      if (wanted === 'draining') await this.begin(db, row, bound, by);
      else await this.end(db, row, wanted, by);
      return true;
    });
  }

  private async begin(db: Db, row: DrainRow, bound: Bound, by: string): Promise<void> {
    const { name, wanted, drain } = row;
    if (wanted === 'draining' && drain?.by === 'operator') return;
    const begun = isOpen(drain) ? drain : beginDrain('operator', row, row.now.getTime());
    const operation = Number(await this.operations.begin({ kind: 'drain', target: { node: name }, causedBy: by, step: MOVE }, db));
    await this.look(db, { ...row, wanted: 'draining' }, { ...begun, by: 'operator', operation }, bound);
  }

  private async end(db: Db, { name, drain, now }: DrainRow, wanted: NodeWish, by: string): Promise<void> {
    if (!isOpen(drain)) return this.repository.save(db, name, wanted, drain);
    const isRemoved = wanted === 'removed';
    await this.repository.save(db, name, wanted, { ...drain, endedAtMs: now.getTime(), cancelled: !isRemoved });
    if (drain.operation === null) return;
    const message = isRemoved ? `${name} was removed by ${by} before it was drained` : `${by} took it back`;
    await this.operations.cancelled(BigInt(drain.operation), { code: isRemoved ? 'API_NODE_REMOVED' : 'API_DRAIN_TAKEN_BACK', message }, db);
  }

  private async look(db: Db, row: DrainRow, drain: DrainRecord, bound: Bound): Promise<void> {
    const next = advanceDrain(drain, row, await this.surroundings(db, row, bound), row.now.getTime());
    if (isDeepStrictEqual(next, row.drain)) return;
    await this.repository.save(db, row.name, row.wanted, next);
    if (next.operation !== null) await this.tell(db, BigInt(next.operation), next, row);
  }

  /** Says to the operation how far the drain is. */
  private async tell(db: Db, operation: bigint, drain: DrainRecord, { letGo: { underWay } }: DrainRow): Promise<void> {
    const { moved, moving, waiting } = countStates(drain);
    const { finished, dropped } = drain;
    if (drain.endedAtMs !== null) {
      const kept = inState(drain, 'kept').map(({ app, channel, reason }) => `${app}/${channel}: ${reason}`);
      return this.operations.succeed(operation, { moved, finished, dropped, kept }, db);
    }
    if (moving + waiting > 0) return this.operations.step(operation, MOVE, { detail: `${moved} channels moved, ${moving} moving, ${waiting} waiting`, db });
    return this.operations.step(operation, 'finish', { detail: `${underWay} requests under way`, db });
  }

  private async advanceAll(): Promise<void> {
    for (const name of await this.repository.underWay()) {
      const bound = await this.boundTo(name);
      await this.prisma.transaction(async (db) => {
        const row = await this.repository.lock(db, name);
        const drain = row && (isOpen(row.drain) ? row.drain : row.farewell === 'leaving' ? beginDrain('node', row, row.now.getTime()) : null);
        if (drain) await this.look(db, row, drain, bound);
      });
    }
  }

  /** Before anything is locked: it asks for a connection of its own. */
  private async boundTo(name: string): Promise<Bound> {
    const holds = await this.repository.holds(name);
    const elsewhere = await this.repository.servedElsewhere(this.prisma, name, holds);
    return this.bound.among(holds.filter((key) => !elsewhere.has(key)));
  }

  private async surroundings(db: Db, { name, holds, drain }: DrainRow, bound: Bound): Promise<DrainSurroundings> {
    const keys = [...new Set([...holds, ...Object.keys(drain?.channels ?? {})])];
    return { elsewhere: await this.repository.servedElsewhere(db, name, keys), bound };
  }
}

const isOpen = (drain: DrainRecord | null): drain is DrainRecord => drain !== null && drain.endedAtMs === null;
