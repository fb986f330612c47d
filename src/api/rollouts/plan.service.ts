import { Injectable } from '@nestjs/common';
import type { TrafficShare } from '#contract/assignment.js';
import type { AppName, VersionNumber } from '#contract/ids.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { DiffService } from '../diff/diff.service.js';
import { FleetService } from '../nodes/fleet.service.js';
import { namesOf, type ValueChanges } from '../variables/variable-history.js';
import { stepsOf } from './analysis/steps.js';
import { parseStrategy, type Strategy } from './analysis/strategy.js';
import type { RolloutPlan } from './plan.schema.js';
import type { RolloutRecord } from './rollout.repository.js';
import { pauseOf } from './rollout.view.js';
import { staysOf } from './stays.js';

/** What was begun in a transaction that is not going to be committed. */
export interface Tried {
  app: AppRecord;
  /** What the channel served before it. */
  serving: TrafficShare[];
  version: number;
  isNew: boolean;
  /** undefined: none began. */
  rollout: RolloutRecord | undefined;
  /** No rollout was asked for. */
  isStored: boolean;
  /** Of a way back. */
  back?: { values: ValueChanges | undefined };
  warnings: string[];
}

/** Thrown out of a transaction that was only tried: it takes everything back, and carries the plan. */
class Planned extends Error {
  constructor(readonly plan: RolloutPlan) {
    super('planned');
  }
}

/**
 * Says what a call would change. The call is carried out in its transaction as ever, with all that it checks, and the transaction is then taken back: so a plan
 * and what follows it never differ in what they know.
 */
@Injectable()
export class PlanService {
  constructor(
    private readonly diffs: DiffService,
    private readonly fleet: FleetService,
  ) {}

  /** The plan that `work` throws by `made`. Throws what else it throws. */
  async of(work: Promise<never>): Promise<RolloutPlan> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof Planned) return error.plan;
      throw error;
    }
  }

  /** Ends the transaction that it was tried in, with nothing stored. */
  async made(db: Db, tried: Tried): Promise<never> {
    throw new Planned(await this.describe(db, tried));
  }

  private async describe(db: Db, { app, serving, version, isNew, rollout, isStored, back, warnings }: Tried): Promise<RolloutPlan> {
    const from = serving[0]?.version;
    const strategy = (parseStrategy(rollout?.strategy ?? 'now') as Strategy) ?? { kind: 'now' };
    const { nodes } = await this.fleet.of(app.channel, db);
    const served = await this.diffs.asked(db, app, serving.map((share) => share.version));
    return {
      plan: true, app: app.name as AppName, channel: app.channel.channel as RolloutPlan['channel'], version: version as VersionNumber, isNew,
      outcome: outcomeOf(rollout, isStored),
      serving,
      changes: from === undefined || from === version ? null : await this.diffs.difference(db, app, from, version),
      strategy: rollout?.strategy ?? 'now',
      // Where nothing else is served there is nobody to give a share to.
      steps: rollout && from !== undefined && from !== version ? stepsOf(strategy).map((step, i) => ({ step: i, percent: step.percent, pause: pauseOf(step) })) : [],
      asks: rollout?.phase === 'awaiting-approval' ? (rollout.asks ?? []) : [],
      held: rollout?.held ?? null,
      nodes: nodes.map(({ node }) => node),
      variables: back?.values ? { restored: namesOf(back.values), left: back.values.left } : null,
      staysAsItIs: back ? staysOf(served) : [],
      warnings: [...warnings, ...(back && !back.values ? ['the variables stay as they are: it is not known which values the version was last served with, or they are to be kept'] : []), ...(nodes.length === 0 ? ['no node is live: the rollout would wait for one'] : [])],
    };
  }
}

function outcomeOf(rollout: RolloutRecord | undefined, isStored: boolean): RolloutPlan['outcome'] {
  if (!rollout) return isStored ? 'stored' : 'nothing';
  if (rollout.phase === 'awaiting-approval') return 'awaiting-approval';
  return rollout.held ? 'held' : 'rolled-out';
}
