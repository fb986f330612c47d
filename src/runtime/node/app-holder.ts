import type { VersionArtifact } from '#contract/artifact.js';
import type { Assignment, AssignmentStatus } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import type { VersionNumber } from '#contract/ids.js';
import type { Log } from '#platform/log.js';
import type { AppLane } from '#runtime/trigger/app-version.js';
import { toAppLane, type AppKey } from './app-lane.js';
import { nextLookAt, reconcile, type Action, type AppState } from './reconcile.js';
import type { CommandFailure } from './runner-protocol.js';

const RETRY_MIN_MS = 5_000;
const RETRY_MAX_MS = 60_000;
const SWITCH_RETRY_MS = 2_000;

/** What carries actions out. */
export interface AppRunners {
  /** Fetches what the version needs and prepares it in every runner. Throws a WhorlError. */
  prepare(app: AppLane, artifact: VersionArtifact): Promise<void>;
  /** Returns when every runner has switched. */
  serve(app: AppLane): Promise<void>;
  release(app: AppKey, version: VersionNumber): void;
  remove(app: AppKey): void;
}

/** Brings one channel of one app from what the runners have of it to what is assigned, and says how far it is. */
export class AppHolder {
  private target: Assignment | undefined;
  private readonly state: AppState = { org: '', versions: new Map(), told: undefined, switched: undefined, switching: false, switchRetryAt: 0 };
  private timer: NodeJS.Timeout | undefined;
  private idle = Promise.withResolvers<void>();

  /** @param onChange the status has changed */
  constructor(private readonly key: AppKey, private readonly runners: AppRunners, private readonly onChange: () => void, private readonly log: Log) {}

  /** undefined: nothing of it is to be held any more. */
  assign(target: Assignment | undefined): void {
    this.target = target;
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

  stop(): void {
    clearTimeout(this.timer);
  }

  private get isIdle(): boolean {
    return !this.state.switching && [...this.state.versions.values()].every(({ state }) => state !== 'preparing');
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
    const { version, digest } = artifact;
    this.state.org = this.target!.org;
    const tries = this.state.versions.get(version)?.tries ?? 0;
    const failure = this.state.versions.get(version)?.failure;
    this.state.versions.set(version, { digest, state: 'preparing', tries, ...(failure && { failure }) });
    try {
      let app: AppLane;
      do {
        app = toAppLane(this.target!);
        await this.runners.prepare(app, artifact);
        // Values that changed meanwhile have reached the versions that were there, not this one.
      } while (this.target && this.target.variablesRevision > app.variablesRevision);
      this.state.versions.set(version, { digest, state: 'prepared', tries: 0 });
      this.log.info('version prepared', { ...this.key, version });
    } catch (error) {
      this.fail(version, toFailure(error));
      this.log.error('a version cannot be prepared', { ...this.key, version, error });
    }
    this.onChange();
    this.look();
  }

  private async serve(app: AppLane): Promise<void> {
    this.state.switching = true;
    this.state.told = app;
    try {
      await this.runners.serve(app);
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
    const retryAt = Date.now() + Math.min(RETRY_MIN_MS * 2 ** held.tries, RETRY_MAX_MS);
    this.state.versions.set(version, { digest: held.digest, state: 'failed', failure, retryAt, tries: held.tries + 1 });
  }
}

function toFailure(error: unknown): CommandFailure {
  if (error instanceof WhorlError) return { code: error.code, message: error.message };
  return { code: 'NODE_RUNNER_FAILED', message: (error as Error).message };
}
