import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import type { NodeWish } from '#contract/node-facts.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { advanceDrain, beginDrain, type DrainRecord } from './drain-record.js';
import { DrainRepository, type DrainRow } from './drain.repository.js';

/** Drains, as the reports of all nodes show them. Moving what a node has is placement's work: it goes by what is wanted of the node. */
@Injectable()
export class DrainService {
  constructor(
    private readonly repository: DrainRepository,
    private readonly prisma: PrismaService,
  ) {}

  /** Something was reported: looks at each drain that is under way, and begins those of nodes that leave by themselves. */
  async advance(): Promise<void> {
    for (const name of await this.repository.underWay()) {
      await this.prisma.transaction(async (db) => {
        const row = await this.repository.lock(db, name);
        if (row) await this.look(db, row, isOpen(row.drain) ? row.drain : row.farewell === 'leaving' ? beginDrain('node', row, row.now.getTime()) : null);
      });
    }
  }

  /**
   * Of a node that leaves by itself: whether there are others that could take over, and whether it has nothing to wait for, since there are none or
   * they serve what it serves, but for what is bound to it.
   */
  async departure(name: string): Promise<{ mayGo: boolean; others: boolean }> {
    return this.prisma.transaction(async (db) => {
      const row = await this.repository.lock(db, name);
      if (!row || !(await this.repository.hasSuccessors(db, name))) return { mayGo: true, others: false };
      const next = advanceDrain(isOpen(row.drain) ? row.drain : beginDrain('node', row, row.now.getTime()), row, await this.surroundings(db, row), row.now.getTime());
      return { mayGo: !Object.values(next.channels).some(({ state }) => state === 'waiting'), others: true };
    });
  }

  /**
   * Changes what is wanted of a node: `draining` begins a drain unless one is under way, anything else ends it. Answers false when there is no
   * such node.
   */
  want(name: string, wanted: NodeWish): Promise<boolean> {
    return this.prisma.transaction(async (db) => {
      const row = await this.repository.lock(db, name);
      if (!row) return false;
      const nowMs = row.now.getTime();
      if (wanted === 'draining') {
        const goesOn = isOpen(row.drain) || row.wanted === 'draining';
        await this.look(db, { ...row, wanted }, goesOn && row.drain ? row.drain : beginDrain('operator', row, nowMs));
      } else {
        await this.repository.save(db, name, wanted, isOpen(row.drain) ? { ...row.drain, endedAtMs: nowMs, cancelled: wanted !== 'removed' } : row.drain);
      }
      return true;
    });
  }

  private async look(db: Db, row: DrainRow, drain: DrainRecord | null): Promise<void> {
    if (!drain) return;
    const next = advanceDrain(drain, row, await this.surroundings(db, row), row.now.getTime());
    if (!isDeepStrictEqual(next, row.drain)) await this.repository.save(db, row.name, row.wanted, next);
  }

  private async surroundings(db: Db, { name, holds, drain }: DrainRow) {
    const keys = [...new Set([...holds, ...Object.keys(drain?.channels ?? {})])];
    return { elsewhere: await this.repository.servedElsewhere(db, name, keys), bound: new Map<string, string>() };
  }
}

const isOpen = (drain: DrainRecord | null): drain is DrainRecord => drain !== null && drain.endedAtMs === null;
