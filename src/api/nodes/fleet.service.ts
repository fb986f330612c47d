import { Injectable } from '@nestjs/common';
import type { AssignmentStatus } from '#contract/assignment.js';
import type { ComponentLimits } from '#contract/bundle/component-limits.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { Wakeups } from '#platform/wakeups.js';
import { REPORTS_TOPIC } from '../topics.js';
import { leastOf } from './least-limits.js';
import { type ChannelRevision, type Fleet, NodeRepository, type PlacedChannel } from './node.repository.js';

/** A channel, and the generation it began with: older ones belong to an app of that name that is gone. */
export interface ChannelIdentity extends PlacedChannel {
  firstGeneration: number;
}

/** The nodes, as their reports show them. */
@Injectable()
export class FleetService {
  constructor(
    private readonly repository: NodeRepository,
    private readonly wakeups: Wakeups,
  ) {}

  /** The live nodes (heard of within NODE_LOST_AFTER_MS, neither stopped nor removed) that are to hold the channel, and what each says of it. */
  async of(channel: ChannelIdentity, db?: Db): Promise<Fleet> {
    const { now, nodes } = await this.repository.fleetOf(channel, db);
    return { now, nodes: nodes.map((node) => ({ ...node, status: current(node.status, channel) })) };
  }

  /** What a component gets of each limit at most, wherever it runs: the least that a live node gives. */
  async limits(): Promise<ComponentLimits> {
    return leastOf(await this.repository.limits());
  }

  /** Names of the live nodes. */
  live(): Promise<string[]> {
    return this.repository.live();
  }

  /** Waits until every live node that is to hold one of the channels has its revision of the values and the runtime configuration. Answers the nodes that do not when the time is up. */
  async waitForRevisions(revisions: readonly ChannelRevision[], timeoutMs: number): Promise<string[]> {
    if (revisions.length === 0) return [];
    let late: string[] = [];
    await this.wakeups.wait(
      [REPORTS_TOPIC],
      async () => {
        late = await this.repository.behind(revisions);
        return late.length === 0 || undefined;
      },
      { timeoutMs },
    );
    return late;
  }

  /** Waits until no live node says of the channel that it is at this generation or an older one. Answers the nodes that do when the time is up. */
  async waitUntilGone({ app, channel, generation }: PlacedChannel & { generation: number }, timeoutMs: number): Promise<string[]> {
    let late: string[] = [];
    await this.wakeups.wait(
      [REPORTS_TOPIC],
      async () => {
        const { nodes } = await this.repository.everywhere({ app, channel });
        late = nodes.filter(({ status }) => status && status.generation > 0 && status.generation <= generation).map(({ node }) => node);
        return late.length === 0 || undefined;
      },
      { timeoutMs },
    );
    return late;
  }
}

/** Generation 0 stands for "nothing switched yet" and belongs to whatever the node holds now. */
function current(status: AssignmentStatus | undefined, { firstGeneration }: ChannelIdentity): AssignmentStatus | undefined {
  return status && (status.generation === 0 || status.generation >= firstGeneration) ? status : undefined;
}
