import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { type Page, type PageQuery, readCursor, toPage } from '#platform/http/page.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { z } from 'zod';
import { type AppRecord, suffixOf } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { areShown } from '../policies/channel-policy.js';
import { PoliciesService } from '../policies/policies.service.js';
import { AdvanceService } from './advance.service.js';
import type { Failure } from './rollout-state.js';
import { RolloutRepository, type RolloutRecord } from './rollout.repository.js';
import type { RolloutDetails, RolloutSummary, RolloutView } from './rollout.schema.js';
import { type RolloutCall, RolloutsService } from './rollouts.service.js';
import { toDetails, toSummary } from './rollout.view.js';
import { StepperService } from './stepper.service.js';

/** Rollouts as people look at them, and decide on those that wait. */
@Injectable()
export class ApprovalsService {
  // oxlint-disable-next-line max-params -- what is injected, one feature each
  constructor(
    private readonly repository: RolloutRepository,
    private readonly rollouts: RolloutsService,
    private readonly advance: AdvanceService,
    private readonly stepper: StepperService,
    private readonly policies: PoliciesService,
    private readonly apps: AppsService,
  ) {}

  /** Those of a channel, newest first. Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async list(name: string, { limit, cursor, channel }: PageQuery & { channel?: string | undefined }): Promise<Page<RolloutSummary>> {
    const app = await this.apps.get(name, channel);
    const before = readCursor(cursor, z.coerce.bigint().positive());
    return toPage(await this.repository.list(app.channel.id, before, limit + 1), limit, ({ id }) => String(id), (rollout) => toSummary(app, rollout));
  }

  /** Throws API_APP_NOT_FOUND, API_ROLLOUT_NOT_FOUND. */
  async get(name: string, id: number): Promise<RolloutDetails> {
    const rollout = await this.find(name, id);
    // After it: a rollout that has ended is never shown beside what was served while it went on.
    return toDetails(await this.apps.get(name, { id: rollout.channelId }), rollout);
  }

  /** The newest one of a channel. Throws as `get` does, and API_CHANNEL_NOT_FOUND. */
  async latest(name: string, channel?: string): Promise<RolloutDetails> {
    const app = await this.apps.get(name, channel);
    const latest = await this.repository.latest(app.channel.id);
    if (!latest) throw new WhorlError('API_ROLLOUT_NOT_FOUND', `nothing of ${name}${suffixOf(app)} has been rolled out`);
    return toDetails(await this.apps.get(name, channel), latest);
  }

  /**
   * Lets a step of a rollout go on; answers as a rollout does. Throws API_ROLLOUT_NOT_FOUND, API_APPROVAL_BY_ANOTHER, and API_ROLLOUT_DECIDED when
   * the rollout is not at that step, or the step waits for nobody.
   */
  async approveStep(name: string, id: number, step: number, call: RolloutCall): Promise<RolloutView> {
    const { app, rollout } = await this.change(name, id, call.ifMatch, async (db, locked, found) => {
      await this.policies.requireMayDecide(db, locked, call.causedBy, found);
      await this.advance.approveStep(db, locked.channel, found, { index: step, by: call.causedBy });
      return { app: locked, rollout: found };
    });
    return this.rollouts.outcome(app, rollout, call.waitS);
  }

  /** Ends a rollout wherever it is; what was served before it is served again. Throws API_ROLLOUT_NOT_FOUND, API_ROLLOUT_DECIDED. */
  async abort(name: string, id: number, reason: string | undefined, { causedBy, ifMatch }: Pick<RolloutCall, 'causedBy' | 'ifMatch'>): Promise<RolloutDetails> {
    await this.change(name, id, ifMatch, (db, app, rollout) => this.advance.abort(db, app.channel, rollout, { by: causedBy, reason }));
    return this.get(name, id);
  }

  /**
   * Agrees to what the version of a rollout asks for, which then begins; answers as a rollout does. Throws API_ROLLOUT_NOT_FOUND,
   * API_ROLLOUT_DECIDED, API_APPROVAL_BY_ANOTHER, and API_STATE_CHANGED when it asks for more than what was shown, since the app has come to serve
   * less: it shows that from then on.
   */
  async approve(name: string, id: number, call: RolloutCall): Promise<RolloutView> {
    const { app, rollout, grown } = await this.decide(name, id, call, async (db, locked, awaiting) => {
      const asks = await this.policies.newlyAsked(db, locked, awaiting.version);
      if (!areShown(asks, awaiting.asks ?? [])) {
        await this.repository.update(db, awaiting.id, { asks });
        return { app: locked, rollout: awaiting, grown: true };
      }
      const decidedAt = await this.repository.approve(db, awaiting.id, call.causedBy);
      const begun: RolloutRecord = { ...awaiting, state: 'progressing', phase: 'preparing', decidedBy: call.causedBy, decidedAt };
      const others = (await this.repository.active(db, awaiting.channelId)).filter((each) => each.id !== awaiting.id);
      const moved = await this.advance.advance(db, locked.channel, [...others, begun]);
      if (!moved) await this.repository.announce(db, locked.id);
      return { app: locked, rollout: begun, grown: false };
    });
    if (grown) throw new WhorlError('API_STATE_CHANGED', `${name} serves something else by now, and the version asks for more beside that: look again at what it asks for`);
    return this.rollouts.outcome(app, rollout, call.waitS);
  }

  /** Ends a rollout that waits; what is served stays. Throws as `approve` does, but for API_STATE_CHANGED. */
  async reject(name: string, id: number, reason: string | undefined, call: Pick<RolloutCall, 'causedBy' | 'ifMatch'>): Promise<RolloutSummary> {
    const app = await this.decide(name, id, call, async (db, locked, awaiting) => {
      const failure: Failure = { code: 'API_ROLLOUT_REJECTED', message: `${call.causedBy} rejected it${reason === undefined ? '' : `: ${reason}`}` };
      await this.stepper.end(db, awaiting, { state: 'aborted', failure, decidedBy: call.causedBy, decidedAt: new Date() });
      await this.repository.setFailure(db, locked.channel, awaiting.version, failure);
      await this.repository.announce(db, locked.id);
      return locked;
    });
    return toSummary(app, await this.find(name, id));
  }

  private decide<T>(name: string, id: number, { causedBy, ifMatch }: Pick<RolloutCall, 'causedBy' | 'ifMatch'>, work: (db: Db, app: AppRecord, awaiting: RolloutRecord) => Promise<T>): Promise<T> {
    return this.change(name, id, ifMatch, async (db, app, rollout) => {
      if (rollout.phase !== 'awaiting-approval' || rollout.endedAt) throw new WhorlError('API_ROLLOUT_DECIDED', `rollout ${id} of ${name} is ${rollout.state} (${rollout.phase})${rollout.decidedBy === null ? '' : `, ${rollout.decidedBy} has decided on it`}`);
      await this.policies.requireMayDecide(db, app, causedBy, rollout);
      return work(db, app, rollout);
    });
  }

  /** Changes a rollout of any channel, in a transaction that has locked the app. */
  private async change<T>(name: string, id: number, ifMatch: string[] | undefined, work: (db: Db, app: AppRecord, rollout: RolloutRecord) => Promise<T>): Promise<T> {
    const { channelId } = await this.find(name, id);
    return this.apps.change(name, { channel: { id: channelId }, ifMatch }, async (db, app) => work(db, app, (await this.repository.find(BigInt(id), db))!));
  }

  private async find(name: string, id: number): Promise<RolloutRecord> {
    const [lanes, found] = await Promise.all([this.apps.lanes(name), this.repository.find(BigInt(id))]);
    if (!found || !lanes.some(({ channel }) => channel.id === found.channelId)) throw new WhorlError('API_ROLLOUT_NOT_FOUND', `${name} has no rollout ${id}`);
    return found;
  }
}
