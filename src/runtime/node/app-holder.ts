import type { VersionArtifact } from '#contract/artifact.js';
import type { Assignment, AssignmentStatus, SwitchTimes } from '#contract/assignment.js';
import type { VersionNumber } from '#contract/ids.js';
import type { Log } from '#platform/log.js';
import { toVariableSource } from '#runtime/component/grant.js';
import type { KnownChannel } from '#runtime/trigger/front.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';
import type { AppLane } from '#runtime/trigger/version-host.js';
import { toAppLane, type AppKey } from './app-lane.js';
import { toFailure } from './command-failure.js';
import { isRunnable } from './engines.js';
import { isUnderWay, nextLookAt, reconcile, type Action, type AppState, type VersionState } from './reconcile.js';
import type { CommandFailure } from './runner-protocol.js';
import { type Switched, toSwitchTimes } from './switch-times.js';
import { storedOf } from './stored-versions.js';

const RETRY_MIN_MS = 5_000;
const RETRY_MAX_MS = 60_000;
const SWITCH_RETRY_MS = 2_000;

/** What carries actions out. */
export interface AppRunners {
  /** Fetches what the version needs and prepares it in every runner. Throws a WhorlError. */
  prepare(app: AppLane, artifact: VersionArtifact): Promise<void>;
  /** Returns when every runner has switched, and says when. */
  serve(app: AppLane): Promise<Switched>;
  release(app: AppKey, version: VersionNumber): void;
  remove(app: AppKey): void;
}

/** Brings one channel of one app from what the runners have of it to what is assigned, and says how far it is. */
export class AppHolder {
  private target: Assignment | undefined;
  private readonly state: AppState = { org: '', versions: new Map(), told: undefined, switched: undefined, switching: false, switchRetryAt: 0 };
  private timer: NodeJS.Timeout | undefined;
  /** When it was told of the generation that is to be served. */
  private toldAtMs = performance.now();
  private switchTimes: SwitchTimes | undefined;
  private idle = Promise.withResolvers<void>();

  /** @param onChange the status has changed */
  constructor(private readonly key: AppKey, private readonly runners: AppRunners, private readonly onChange: () => void, private readonly log: Log) {}

  /** undefined: nothing of it is to be held any more. */
  assign(target: Assignment | undefined): void {
    if (target && target === this.target) return;
    if (target?.generation !== this.target?.generation) this.toldAtMs = performance.now();
    this.target = target;
    this.look();
  }

  /**
   * Takes an assignment up as it was when the node was stopped. Versions that were prepared then count as prepared; what runners are to
   * know of them is given back. `assign` or `resumed` has to follow.
   */
  resume(target: Assignment, isProved: (stored: StoredVersion) => boolean): KnownChannel | undefined {
    this.target = target;
    this.state.org = target.org;
    const versions = target.versions.filter(isRunnable).map(storedOf).filter(isProved);
    for (const { version, digest, artifact } of versions) this.state.versions.set(version, { digest, artifact, state: 'prepared', tries: 0 });
    if (versions.length === 0) return undefined;
    const lane = toAppLane(target);
    const isServed = target.serve.every((share) => this.state.versions.has(share.version));
    if (isServed) this.state.told = this.state.switched = lane;
    return { lane, versions, served: isServed ? lane : undefined };
  }

  /** The runners know what `resume` gave. */
  resumed(): void {
    this.look();
  }

  /** True when it is not assigned and nothing of it is left. */
  get isGone(): boolean {
    return !this.target && this.isIdle && this.state.versions.size === 0 && !this.state.told;
  }

  /** Resolves when nothing is under way; tries to come do not count. */
  settled(): Promise<void> {
    return this.isIdle ? Promise.resolve() : this.idle.promise;
  }

  /** undefined when it is not assigned. */
  status(): AssignmentStatus | undefined {
    if (!this.target) return undefined;
    const versions = [...this.state.versions].sort(([a], [b]) => a - b);
    return {
      app: this.key.app,
      channel: this.key.channel,
      generation: this.state.switched?.generation ?? 0,
      variablesRevision: this.state.switched?.variablesRevision ?? 0,
      ...(this.target.placement !== undefined && { placement: this.target.placement }),
      ...(this.switchTimes && this.switchTimes.generation === this.state.switched?.generation && { switched: this.switchTimes }),
      prepared: versions.filter(([, { state }]) => state === 'prepared').map(([version]) => version),
      failed: versions.flatMap(([version, { failure }]) => (failure ? [{ version, ...failure }] : [])),
    };
  }

  /** The runners had to let go of a version. */
  refuse(version: VersionNumber, failure: CommandFailure): void {
    const held = this.state.versions.get(version);
    // One that is being prepared fails by the promise of that.
    if (held?.state !== 'prepared') return;
    this.fail(version, failure);
    if (this.state.switched?.serve.some((share) => share.version === version)) this.state.switched = undefined;
    this.onChange();
    this.look();
  }

  /** A runner could not load a version that had been prepared: it is prepared again. True when it is held. */
  unloadable(stored: StoredVersion, failure: CommandFailure): boolean {
    if (this.state.versions.get(stored.version)?.artifact !== stored.artifact) return false;
    this.refuse(stored.version, failure);
    return true;
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private get isIdle(): boolean {
    return !this.state.switching && ![...this.state.versions.values()].some(isUnderWay);
  }

  private look(): void {
    const now = Date.now();
    for (const action of reconcile(this.target, this.state, now)) this.begin(action);
    clearTimeout(this.timer);
    const at = nextLookAt(this.state, now);
    if (at !== undefined) this.timer = setTimeout(() => this.look(), at - now);
    if (!this.isIdle) return;
    this.idle.resolve();
    this.idle = Promise.withResolvers();
  }

  private begin(action: Action): void {
    switch (action.kind) {
      case 'prepare': return void this.prepare(action.artifact);
      case 'serve': return void this.serve(action.app);
      case 'release':
        this.state.versions.delete(action.version);
        this.runners.release(this.key, action.version);
        return this.onChange();
      case 'remove':
        this.runners.remove(this.key);
        Object.assign(this.state, { versions: new Map(), told: undefined, switched: undefined, switchRetryAt: 0 });
        // What has its name now begins from nothing.
        if (this.target) queueMicrotask(() => this.look());
        return this.onChange();
    }
  }

  private async prepare(artifact: VersionArtifact): Promise<void> {
    const { version, digest, artifact: stored } = storedOf(artifact);
    this.state.org = this.target!.org;
    const before = this.state.versions.get(version);
    const isRenewal = before?.state === 'prepared';
    if (isRenewal) before.renewal = { artifact: stored, tries: before.renewal?.tries ?? 0 };
    else this.state.versions.set(version, { digest, artifact: stored, state: 'preparing', tries: before?.tries ?? 0, ...(before?.failure && { failure: before.failure }) });
    try {
      let app: AppLane;
      do {
        app = toAppLane(this.target!);
        await this.runners.prepare(app, artifact);
        // Values that changed meanwhile have reached the versions that were there, not this one.
      } while (this.target && this.target.variablesRevision > app.variablesRevision);
      this.state.versions.set(version, { digest, artifact: stored, state: 'prepared', tries: 0 });
      this.log.info('version prepared', { ...this.key, version });
    } catch (error) {
      if (isRenewal && this.state.versions.get(version) === before) this.postpone(before);
      else this.fail(version, toFailure(error));
      this.log.error('a version cannot be prepared', { ...this.key, version, error });
    }
    this.onChange();
    this.look();
  }

  private async serve(app: AppLane): Promise<void> {
    this.state.switching = true;
    this.state.told = app;
    try {
      this.checkVariables(app);
      const { toldAtMs } = this;
      const when = await this.runners.serve(app);
      if (this.state.switched?.generation !== app.generation) this.switchTimes = toSwitchTimes(app.generation, when, toldAtMs);
      this.state.switched = app;
      this.log.info('switched', { ...this.key, generation: app.generation, serve: app.serve, variablesRevision: app.variablesRevision });
    } catch (error) {
      this.state.switchRetryAt = Date.now() + SWITCH_RETRY_MS;
      this.log.error('the app cannot be switched', { ...this.key, generation: app.generation, error });
      // What it names cannot be served: the control plane goes back to what was served before.
      for (const { version } of app.serve) this.fail(version, toFailure(error));
    }
    this.state.switching = false;
    this.onChange();
    this.look();
  }

  private fail(version: VersionNumber, failure: CommandFailure): void {
    const held = this.state.versions.get(version);
    if (!held) return;
    const { digest, artifact, tries } = held;
    this.state.versions.set(version, { digest, artifact, state: 'failed', failure, retryAt: retryAt(tries), tries: tries + 1 });
  }

  /** The builds that were to replace those of a version that is prepared do not start: it goes on with what it has. */
  private postpone(held: VersionState): void {
    const { artifact, tries } = held.renewal!;
    held.renewal = { artifact, tries: tries + 1, retryAt: retryAt(tries) };
  }

  /** Runners that have not loaded a version cannot tell. Throws COMPONENT_VARIABLE_MISSING. */
  private checkVariables({ serve, variables, runtime }: AppLane): void {
    for (const { version, app } of this.target?.versions ?? []) if (serve.some((share) => share.version === version)) toVariableSource(app, variables, runtime);
  }
}

function retryAt(tries: number): number {
  return Date.now() + Math.min(RETRY_MIN_MS * 2 ** tries, RETRY_MAX_MS);
}
