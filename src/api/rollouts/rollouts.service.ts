import { Injectable } from '@nestjs/common';
import { ERRORS, type ErrorCode, WhorlError } from '#contract/errors.js';
import type { AppName, VersionNumber } from '#contract/ids.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { Wakeups } from '#platform/wakeups.js';
import { type AppRecord, servesOnly, suffixOf } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { type Admission, GatesService } from '../channels/gates.service.js';
import { OperationsService } from '../operations/operations.service.js';
import { PoliciesService } from '../policies/policies.service.js';
import { RequirementsService } from '../runtime-config/requirements.service.js';
import { appTopic } from '../topics.js';
import { AdvanceService } from './advance.service.js';
import { stepsOf } from './analysis/steps.js';
import type { RolloutPlan } from './plan.schema.js';
import { PlanService } from './plan.service.js';
import type { Failure } from './rollout-state.js';
import { RolloutRepository, type RolloutRecord } from './rollout.repository.js';
import type { RolloutView } from './rollout.schema.js';
import type { RolloutSettings } from './settings.js';
import { SettingsService } from './settings.service.js';
import { StepperService } from './stepper.service.js';
import { AnnouncerService } from './webhooks/announcer.service.js';
import { lastSwitch } from './switch-times.js';
import { ValuesBackService } from './values-back.service.js';

export interface RolloutCause {
  cause: 'push' | 'rollout' | 'rollback' | 'rule';
  /** Name of the token. */
  causedBy: string;
  /** What the call says of how. */
  settings?: RolloutSettings;
  /** See `RolloutCall`. */
  requestId?: string | undefined;
  /** In a freeze window; without it, to wait. */
  onFreeze?: 'wait' | 'refuse' | undefined;
  /** It goes over locks, freeze windows and rules. */
  force?: boolean | undefined;
}

/** Who asks, of which channel, on which condition, and how long to wait for the nodes. */
export interface RolloutCall extends Pick<RolloutCause, 'onFreeze' | 'force'> {
  /** Without it `production`. */
  channel?: string | undefined;
  causedBy: string;
  ifMatch: string[] | undefined;
  waitS: number;
  /** Of the idempotency key: a call that is tried again after its first process died goes on with what that began. */
  requestId?: string | undefined;
}

/** The kind of operation that a rollout is. */
const KINDS = { push: 'deploy', rollout: 'rollout', rollback: 'rollback', rule: 'rollout' } as const;

const SUPERSEDED: Failure = { code: 'API_ROLLOUT_SUPERSEDED', message: 'a later rollout went ahead' };

@Injectable()
export class RolloutsService {
  // oxlint-disable-next-line max-params -- what is injected, one feature each
  constructor(
    private readonly repository: RolloutRepository,
    private readonly advance: AdvanceService,
    private readonly stepper: StepperService,
    private readonly announcer: AnnouncerService,
    private readonly settings: SettingsService,
    private readonly valuesBack: ValuesBackService,
    private readonly plans: PlanService,
    private readonly apps: AppsService,
    private readonly requirements: RequirementsService,
    private readonly policies: PoliciesService,
    private readonly operations: OperationsService,
    private readonly wakeups: Wakeups,
    private readonly gates: GatesService,
  ) {}

  /**
   * Begins to roll a version out, in a transaction that has locked the app; joins the rollout that is already under way to it in the same way. One that
   * waits for approval, or for the channel to open, ends when another version is rolled out. undefined: it is served, and nothing is under way. Throws API_VERSION_NOT_FOUND,
   * API_VARIABLE_REQUIRED, API_STORE_LABEL_UNKNOWN, BUNDLE_MANIFEST_INVALID, API_CHANNEL_LOCKED, API_CHANNEL_FROZEN, API_CHANNEL_PINNED.
   */
  async start(db: Db, app: AppRecord, version: number, { settings: said = {}, requestId, onFreeze = 'wait', force = false, ...why }: RolloutCause): Promise<RolloutRecord | undefined> {
    const admission = await this.gates.admit(db, app, { cause: why.cause, version, onFreeze }, force ? why.causedBy : undefined);
    const isBack = why.cause === 'rollback';
    const back = isBack && !(await this.settings.keepVariables(db, app, said)) ? await this.valuesBack.of(db, app.channel, version) : undefined;
    await this.requirements.requireAllOf(db, app, version, new Set(back?.put.map(({ name }) => name)));
    const active = app.rollout ? await this.repository.active(db, app.channel.id) : [];
    const newest = active.at(-1);
    // A rollback is for when something is wrong: it waits for no steps.
    const { strategy, keyHeader, policy, shadow, keepVariables } = await this.settings.of(db, app, version, isBack ? { ...said, strategy: 'now' } : said);
    if (newest?.version === version && (said.strategy === undefined || newest.strategy === strategy)) return this.join(db, app, newest, admission);
    if (!newest && servesOnly(app.channel, version)) return undefined;
    const asks = await this.policies.asksOf(db, app, version, why.cause);
    const copies = strategy.startsWith('shadow') ? { settings: shadow, components: [] } : null;
    const rollout = await this.repository.create(db, { channelId: app.channel.id, version, ...why, strategy, keyHeader, keepVariables, policy, shadow: copies, asks, ...admission });
    const target = { app: app.name, channel: app.channel.channel, version };
    await this.operations.begin({ kind: KINDS[why.cause], target, causedBy: why.causedBy, appId: app.id, rolloutId: rollout.id, requestId }, db);
    await this.announcer.tell(db, rollout, 'rollout.started');
    for (const waiting of active) {
      if (waiting.phase === 'awaiting-approval' || (waiting.phase === 'preparing' && waiting.held)) await this.stepper.end(db, waiting, { state: 'aborted', failure: SUPERSEDED });
    }
    const moved = await this.advance.advance(db, app.channel, [...active, rollout]);
    if (!moved) await this.repository.announce(db, app.id);
    return rollout;
  }

  /** The rollout that the same request has begun before, of an app that is locked. */
  async begunBy(db: Db, requestId: string | undefined): Promise<RolloutRecord | undefined> {
    const id = requestId === undefined ? undefined : await this.operations.rolloutOfRequest(requestId, db);
    return id === undefined ? undefined : this.repository.find(id, db);
  }

  /** The operation that a rollout is. */
  operationOf(rollout: Pick<RolloutRecord, 'id'>): Promise<number | undefined> {
    return this.operations.ofRollout(rollout.id);
  }

  /** Waits until the rollout has ended, or is paused until somebody decides; answers what it is by then. */
  async wait(app: AppRecord, rollout: RolloutRecord, waitS: number): Promise<RolloutRecord> {
    const ended = async (): Promise<RolloutRecord | undefined> => {
      const now = await this.repository.find(rollout.id);
      return now?.endedAt || now?.state === 'paused' ? now : undefined;
    };
    const found = waitS > 0 ? await this.wakeups.wait([appTopic(app.id)], ended, { timeoutMs: waitS * 1000 }) : undefined;
    return found ?? (await this.repository.find(rollout.id)) ?? rollout;
  }

  /** Serves an earlier version again. Throws API_NOTHING_TO_ROLL_BACK_TO and what `rollOut` throws. */
  async rollBack(name: string, { to, keepVariables }: { to?: number | undefined; keepVariables?: boolean | undefined }, call: RolloutCall): Promise<RolloutView> {
    return this.run(name, call, 'rollback', (db, app) => this.wayBack(db, app, to), keepVariables === undefined ? {} : { keepVariables });
  }

  /**
   * Serves a version that was pushed before; returns when every live node does. Throws API_VERSION_NOT_FOUND, API_VARIABLE_REQUIRED, API_STORE_LABEL_UNKNOWN,
   * API_STATE_CHANGED, API_CHANNEL_LOCKED, API_CHANNEL_FROZEN, API_CHANNEL_PINNED, and API_ROLLOUT_FAILED or API_ROLLOUT_TIMEOUT when what was served before is still served.
   */
  async rollOut(name: string, version: number, call: RolloutCall, settings: RolloutSettings = {}): Promise<RolloutView> {
    return this.run(name, call, 'rollout', () => version, settings);
  }

  /** Who forces a rollout that waits lets it go on. */
  private async join(db: Db, app: AppRecord, rollout: RolloutRecord, { forced }: Admission): Promise<RolloutRecord> {
    if (!forced || rollout.forced) return rollout;
    const isHeld = rollout.held !== null && rollout.phase !== 'awaiting-approval';
    await this.stepper.change(db, rollout, { forced, held: null, ...(isHeld && { state: rollout.progress?.state ?? 'progressing' }) });
    if (!(await this.advance.advance(db, app.channel, [rollout]))) await this.repository.announce(db, app.id);
    return rollout;
  }

  /** What `rollBack` would do, or `rollOut` (to a version); nothing is stored. Throws as they do. */
  plan(name: string, { to, keepVariables, cause }: { to?: number | undefined; keepVariables?: boolean | undefined; cause: 'rollout' | 'rollback' }, call: RolloutCall, said: RolloutSettings = {}): Promise<RolloutPlan> {
    const { channel, ifMatch, causedBy, onFreeze, force } = call;
    const settings = keepVariables === undefined ? said : { ...said, keepVariables };
    return this.plans.of(this.apps.change(name, { channel, ifMatch }, async (db, app) => {
      const { serve: serving } = app.channel;
      const version = cause === 'rollback' ? await this.wayBack(db, app, to) : to!;
      const keeps = await this.settings.keepVariables(db, app, settings);
      const back = cause === 'rollback' ? { values: keeps ? undefined : await this.valuesBack.of(db, app.channel, version) } : undefined;
      const rollout = await this.start(db, app, version, { cause, causedBy, settings, onFreeze, force });
      return this.plans.made(db, { app, serving, version, isNew: false, rollout, isStored: false, ...(back && { back }), warnings: [] });
    }));
  }

  /** Where a rollback leads. Throws API_NOTHING_TO_ROLL_BACK_TO. */
  private async wayBack(db: Db, app: AppRecord, to: number | undefined): Promise<number> {
    const version = to ?? (await this.servedBefore(db, app)) ?? app.channel.previousVersion;
    if (version === null) throw new WhorlError('API_NOTHING_TO_ROLL_BACK_TO', `${app.name}${suffixOf(app)} has served no other version before${app.channel.serve[0] ? ` version ${app.channel.serve[0].version}` : ''}`);
    return version;
  }

  /** While a version has a share of the requests, the way back leads to the other one. */
  private async servedBefore(db: Db, app: AppRecord): Promise<number | undefined> {
    const partial = (await this.repository.active(db, app.channel.id)).find(({ progress }) => progress && progress.index < stepsOf(progress.strategy).length);
    return partial?.before?.serve[0]?.version;
  }

  private async run(name: string, call: RolloutCall, cause: RolloutCause['cause'], choose: (db: Db, app: AppRecord) => number | Promise<number>, settings: RolloutSettings = {}): Promise<RolloutView> {
    const { channel, ifMatch, causedBy, requestId, onFreeze, force } = call;
    const begun = await this.apps.change(name, { channel, ifMatch }, async (db, app) => {
      const before = await this.begunBy(db, requestId);
      if (before) return { app, version: before.version, rollout: before };
      const version = await choose(db, app);
      return { app, version, rollout: await this.start(db, app, version, { cause, causedBy, settings, requestId, onFreeze, force }) };
    });
    const { app, version, rollout } = begun;
    if (!rollout) return this.view(app, version, { rollout: null, operation: null, generation: app.channel.generation, state: 'serving' });
    return this.outcome(app, rollout, call.waitS);
  }

  /** What a call answers about a rollout that is under way, after the time to wait. Throws API_ROLLOUT_FAILED, API_ROLLOUT_TIMEOUT, API_ROLLOUT_REJECTED. */
  async outcome(app: AppRecord, rollout: RolloutRecord, waitS: number): Promise<RolloutView> {
    const found = await this.wait(app, rollout, waitS);
    const { id, version, state, phase, generation, failure, asks, held } = found;
    if (failure?.code === SUPERSEDED.code) throw new WhorlError('API_ROLLOUT_FAILED', `a later rollout of ${app.name} went ahead of this one to version ${version}`);
    if (failure) throw toError(failure);
    const operation = (await this.operations.ofRollout(id)) ?? null;
    if (state === 'paused' && phase === 'awaiting-approval') return this.view(app, version, { rollout: Number(id), operation, generation, state: phase, asks: asks! });
    const times = state === 'promoted' ? lastSwitch(found) : undefined;
    return this.view(app, version, {
      rollout: Number(id), operation, generation, state: state === 'promoted' ? 'serving' : 'pending',
      ...(times && { switch: times }), ...(found.restored && { variables: found.restored }), ...(state === 'paused' && held && { held }),
    });
  }

  private view(app: AppRecord, version: number, how: Omit<RolloutView, 'app' | 'version' | 'url'>): RolloutView {
    return { app: app.name as AppName, version: version as VersionNumber, ...how, url: this.apps.urlOf(app.name, app.channel.channel) };
  }
}

/** What failed on the nodes' side keeps its code in the message: the answer's own code says what became of the call. */
function toError({ code, message }: Failure): WhorlError {
  const known = code.startsWith('API_ROLLOUT_') || code === 'API_APP_NOT_FOUND';
  return known ? new WhorlError(code as ErrorCode, message) : new WhorlError('API_ROLLOUT_FAILED', `${code in ERRORS ? `${code}: ` : ''}${message}`);
}
