import { Inject, Injectable } from '@nestjs/common';
import type { Engines, NodeAssignments } from '#contract/assignment.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { VERSION } from '#platform/version.js';
import { AssignmentsService } from './assignments.service.js';
import { IndexService } from './index.service.js';
import { readRevision, sinceOf, viewOf, writeRevision } from './node-revision.js';

/** What a node asks for. */
export interface AssignmentsPoll {
  node: string;
  /** The revision that it holds. */
  after: string | undefined;
  waitS: number;
  engines: Engines;
}

/** Tells each node what is placed on it. */
@Injectable()
export class SchedulerService {
  constructor(
    private readonly index: IndexService,
    private readonly assignments: AssignmentsService,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /**
   * What a node should hold, or what has changed of that since the state that it holds (`after`): at once when the two differ, else when
   * it changes, the time is up or the signal aborts. What it is to let go of is named as long as it says that it holds it.
   */
  async next(poll: AssignmentsPoll, signal: AbortSignal): Promise<NodeAssignments> {
    await this.index.refresh();
    const after = readRevision(poll.after);
    const view = viewOf(VERSION, this.config.WHORL_APP_DOMAIN, ...poll.engines);
    if (after && sinceOf(after, { ...this.index.horizon, view }) !== null) {
      await this.index.changed(poll.node, after.digest, { timeoutMs: poll.waitS * 1000, signal });
      const { digest, released, removed } = this.index.stateOf(poll.node);
      if (digest === after.digest) return { revision: poll.after!, assignments: [], removed: [...removed], released: [...released] };
    }
    return this.answer(poll, view);
  }

  private async answer({ node, after, engines }: AssignmentsPoll, view: string): Promise<NodeAssignments> {
    const { horizon } = this.index;
    const since = sinceOf(readRevision(after), { ...horizon, view });
    const { placed, released, removed, digest } = this.index.stateOf(node);
    const due = placed.filter(({ channel }) => since === null || channel.stamp >= since);
    const made = await this.assignments.of(due.map(({ channel }) => channel), engines);
    const assignments = due.flatMap(({ channel, replica }) => {
      const assignment = made.get(channel.id);
      return assignment ? [{ ...assignment, placement: replica.generation }] : [];
    });
    return { revision: writeRevision({ ...horizon, view, digest }), assignments, removed: [...removed], released: [...released] };
  }
}
