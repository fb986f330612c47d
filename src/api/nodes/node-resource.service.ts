import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import type { NodeWish } from '#contract/node-facts.js';
import { type Page, readCursor, toPage } from '#platform/http/page.js';
import { Wakeups } from '#platform/wakeups.js';
import { IdentitiesService } from '../identity/identities.service.js';
import { REPORTS_TOPIC } from '../topics.js';
import { BoundChannelsService } from './bound-channels.service.js';
import { DrainService } from './drain.service.js';
import { NodeResourceRepository, type NodeRecord } from './node-resource.repository.js';
import { etagOfNode, heldBy, onlyThere, toNodeView, toSummary } from './node-view.js';
import type { NodeListQuery, NodeRemoval, NodeSummary, NodeView } from './node.schema.js';

export interface ShownNode {
  view: NodeView;
  etag: string;
}

/** The nodes as an operator sees them, and what is wanted of each. */
@Injectable()
export class NodeResourceService {
  constructor(
    private readonly repository: NodeResourceRepository,
    private readonly drains: DrainService,
    private readonly bound: BoundChannelsService,
    private readonly identities: IdentitiesService,
    private readonly wakeups: Wakeups,
  ) {}

  async list({ state, label, cursor, limit }: NodeListQuery): Promise<Page<NodeSummary>> {
    const labels = Object.fromEntries((label?.split(',') ?? []).map((pair) => pair.split('=', 2) as [string, string]));
    const rows = await this.repository.list({ state, labels, after: readCursor(cursor, z.string().min(1)), limit });
    return toPage(rows, limit, ({ name }) => name, toSummary);
  }

  /** @param waitS how long to wait for the end of a drain that is under way. Throws API_NODE_NOT_FOUND. */
  async show(name: string, waitS: number): Promise<ShownNode> {
    let record = await this.require(name);
    await this.wakeups.wait(
      [REPORTS_TOPIC],
      async () => {
        record = await this.require(name);
        return isDraining(record) ? undefined : true;
      },
      { timeoutMs: waitS * 1_000 },
    );
    return toShown(record);
  }

  /**
   * Changes what is wanted of a node. A node that was removed is taken back by `active` alone. Throws API_NODE_NOT_FOUND, API_NODE_REMOVED,
   * API_STATE_CHANGED.
   */
  async want(name: string, wanted: Exclude<NodeWish, 'removed'>, { ifMatch, by, waitS = 0 }: { ifMatch: string[] | undefined; by: string; waitS?: number }): Promise<ShownNode> {
    const record = await this.require(name, ifMatch);
    if (record.wanted === 'removed' && wanted !== 'active') throw new WhorlError('API_NODE_REMOVED', `${name} was removed from the fleet`);
    if (record.wanted === 'removed') await this.identities.readmit(name);
    await this.drains.want(name, wanted, by);
    return this.show(name, waitS);
  }

  /**
   * Takes a node out of the fleet for good: it is told to let go of everything, and refused after that. Says what is lost with it. Throws
   * API_NODE_NOT_FOUND, API_STATE_CHANGED, or, unless it is forced, API_NODE_IN_USE when the node still serves or has what nobody else has.
   */
  async remove(name: string, { ifMatch, force, by }: { ifMatch: string[] | undefined; force: boolean; by: string }): Promise<NodeRemoval> {
    const record = await this.require(name, ifMatch);
    const lost = onlyThere(record, await this.bound.among(heldBy(record)));
    const isOut = ['drained', 'gone', 'lost', 'removed'].includes(record.state);
    if (!force && record.state !== 'removed' && (!isOut || lost.length > 0)) {
      const reason = isOut ? `${name} has what no other node has` : `${name} is ${record.state}`;
      throw new WhorlError('API_NODE_IN_USE', reason, { fields: { state: [record.state], ...(lost.length > 0 && { lost }) } });
    }
    await this.drains.want(name, 'removed', by);
    await this.identities.withdraw(name);
    return { node: toNodeView(await this.require(name)), lost };
  }

  private async require(name: string, ifMatch?: string[]): Promise<NodeRecord> {
    const record = await this.repository.find(name);
    if (!record) throw new WhorlError('API_NODE_NOT_FOUND', `there is no node ${name}`);
    const etag = etagOfNode(record);
    if (ifMatch !== undefined && !ifMatch.includes(etag)) throw new WhorlError('API_STATE_CHANGED', `${name} is at ${etag}: it is to be ${record.wanted}`);
    return record;
  }
}

const isDraining = ({ state }: NodeRecord): boolean => state === 'draining' || state === 'leaving';
const toShown = (record: NodeRecord): ShownNode => ({ view: toNodeView(record), etag: etagOfNode(record) });
