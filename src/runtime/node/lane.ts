import { setTimeout as sleep } from 'node:timers/promises';
import { WhorlError } from '#contract/errors.js';
import type { VersionNumber } from '#contract/ids.js';
import type { Log } from '#platform/log.js';
import type { KnownChannel } from '#runtime/trigger/front.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';
import type { AppLane } from '#runtime/trigger/version-host.js';
import { type AppKey, toKey } from './app-lane.js';
import { Backoff } from './backoff.js';
import { catchUp, type Held, inMessages, note } from './catch-up.js';
import { type LaneApp, type Prepared, toPrepared } from './lane-app.js';
import { RunnerGone, RunnerLate, type RunnerProcess } from './runner-process.js';
import type { LaneKind, ListenTarget, RunnerCommand } from './runner-protocol.js';
import type { Switched } from './switch-times.js';

const START_TIMEOUT_MS = 30_000;
/** At start, slower runners are waited for so long; they join later all the same. */
const ALL_JOINED_MS = 3_000;
const PREPARE_TIMEOUT_MS = 60_000;
/** A guest of the shared lane holds the thread for a second at most; several may do so in a row. */
const SWITCH_TIMEOUT_MS = 5_000;
/** Requests that run on the version served before are waited for no longer. */
const SETTLE_TIMEOUT_MS = 1_000;
const DRAIN_EXTRA_MS = 1_000;
const RESPAWN_MIN_MS = 50;
const RESPAWN_MAX_MS = 10_000;
/** One that lived this long is not in a crash loop. */
const HEALTHY_AFTER_MS = 30_000;
/** A version that was being prepared in so many runners that died is the likely cause. */
const MAX_DEATHS = 2;

/** A place for a runner: filled again when it dies, until it is given up. */
interface Slot {
  runner: RunnerProcess | undefined;
  readonly ending: AbortController;
  /** Fulfilled when the runner is given up and another is to take its place. */
  replaced: PromiseWithResolvers<string>;
  done: Promise<void>;
}

export interface LaneOptions {
  kind: LaneKind;
  /** Where its runners take what came in by other nodes; null: they do not. */
  relayPath: string | null;
  /** What a runner has to finish its requests when another takes its place. */
  drainMs: number;
  log: Log;
  /** Starts a process and its part of the supervisor; the lane sends everything after `init`. */
  spawn(): { runner: RunnerProcess; init: RunnerCommand };
  /** A version that was prepared has to go, since it kills runners. What served it serves nothing until the app is served again. */
  onRefused(app: AppKey, version: VersionNumber, failure: WhorlError): void;
  /** A runner ended that was not to end. */
  onDeath(): void;
  /** The number of runners that accept has changed. */
  onAccepting(): void;
}

/**
 * Runners that all hold the same. A runner that starts is first brought to what the others hold, then joins them (from then on it gets
 * every command), and accepts once the lane is open:
 *
 *     spawned ──up──▶ catching up ──nothing left──▶ joined ──open──▶ accepting ──drain or death──▶ gone
 *                        ▲    │
 *                        └────┘ commands that came meanwhile
 */
export class Lane {
  /** What every runner should hold. */
  readonly desired = new Map<string, LaneApp>();
  private readonly joined = new Set<RunnerProcess>();
  private readonly accepting = new Set<RunnerProcess>();
  private readonly preparing = new Map<RunnerProcess, Set<Prepared>>();
  /** Those that finish what they have, replaced. */
  private readonly leaving = new Set<RunnerProcess>();
  private slots: Slot[] = [];
  private target: ListenTarget | undefined;
  private heavy: RunnerCommand | undefined;
  private joinedChanged = Promise.withResolvers<void>();

  constructor(private readonly options: LaneOptions) {}

  get kind(): LaneKind {
    return this.options.kind;
  }

  get runners(): RunnerProcess[] {
    return [...this.accepting];
  }

  /** Runs so many; what is too much is drained. */
  resize(count: number, drainMs = this.options.drainMs): void {
    while (this.slots.length < count) this.slots.push(this.fill());
    for (const slot of this.slots.splice(count)) void this.retire(slot, drainMs);
  }

  /** Lets every runner accept, those to come too. The port, where there is one. Throws NODE_PORT_IN_USE or NODE_LISTEN_FAILED. */
  async open(target: ListenTarget): Promise<number | undefined> {
    for (;;) {
      await this.anyJoined();
      await this.allJoined();
      // The first one alone, since port 0 becomes a port by it.
      const [first] = this.joined;
      try {
        const port = await first!.call({ type: 'listen', target, relayPath: this.options.relayPath }, SWITCH_TIMEOUT_MS);
        this.target = 'port' in target ? { ...target, port: port! } : target;
        this.accepts(first!);
        await Promise.all([...this.joined].filter((runner) => runner !== first).map((runner) => this.listen(runner)));
        return port;
      } catch (error) {
        if (!(error instanceof RunnerGone)) throw error;
      }
    }
  }

  /** Every runner is to hold these channels, whose versions were prepared on this node before. Returns when they do. */
  async know(channels: readonly KnownChannel[]): Promise<void> {
    for (const { lane, versions, served } of channels) {
      const entry = this.entry(lane);
      entry.app = lane;
      for (const stored of versions) entry.versions.set(stored.version, toPrepared(stored, true));
      if (served) entry.served = served;
    }
    const results = await Promise.all([...this.joined].flatMap((runner) => inMessages(channels).map((message) => this.attempt(runner, message))));
    // Its successor learns of everything before it joins.
    for (const { runner, error } of results) if (error && !(error instanceof RunnerGone)) runner.kill();
  }

  /**
   * Returns when every runner has the version prepared; from then on a runner that starts takes it for prepared. It takes the place of
   * one of the same number. Throws a WhorlError when it cannot be prepared; then no runner keeps it, and the one before stays.
   */
  async prepare(app: AppLane, stored: StoredVersion): Promise<void> {
    const version = toPrepared(stored, false);
    const entry = this.entry(app);
    entry.app = app;
    const { versions } = entry;
    const before = versions.get(stored.version);
    versions.set(stored.version, version);
    try {
      await Promise.race([this.prepareEverywhere(app, version), version.refused.promise]);
      version.proved = true;
    } catch (error) {
      if (versions.get(stored.version) === version) {
        if (before?.proved) await this.know([{ lane: entry.app, versions: [before.stored], served: undefined }]);
        else this.release(app, stored.version);
      }
      throw error instanceof RunnerLate ? new WhorlError('NODE_PREPARE_TIMEOUT', error.message, { cause: error }) : error;
    }
  }

  /**
   * Switches every runner to what `app` says and returns when they have, and requests on versions not served any more have ended (or
   * their time is up); answers when that was. A runner that does not switch is replaced. Throws when none can.
   */
  async serve(app: AppLane): Promise<Switched> {
    const entry = this.entry(app);
    const before = entry.served;
    entry.served = app;
    // Successors of a runner prepare with the newest values.
    entry.app = app;
    const results = await Promise.all([...this.joined].map((runner) => this.attempt(runner, { type: 'serve', app })));
    const refused = results.filter(({ error }) => error && !(error instanceof RunnerGone));
    if (refused.length > 0 && refused.length === results.length && refused.every(({ error }) => error instanceof WhorlError)) {
      entry.served = before;
      throw refused[0]!.error;
    }
    for (const { runner, error } of refused) {
      this.options.log.error('a runner does not switch and is replaced', { pid: runner.pid, app: toKey(app), error });
      runner.kill();
    }
    const switchedAtMs = performance.now();
    // A request that was handed on to the heavy lane is still one of the shared lane.
    if (this.options.kind === 'heavy') return { switchedAtMs, settledAtMs: switchedAtMs };
    const settled: RunnerCommand = { type: 'settled', app: { app: app.app, channel: app.channel }, timeoutMs: SETTLE_TIMEOUT_MS };
    // With a runner that ends its requests have ended too.
    const isSettled = (runner: RunnerProcess): Promise<boolean> =>
      runner.call(settled, SETTLE_TIMEOUT_MS * 2).then((value) => value === 1, (error: unknown) => error instanceof RunnerGone);
    const all = await Promise.all([...this.joined].map(isSettled));
    return { switchedAtMs, settledAtMs: all.every(Boolean) ? performance.now() : null };
  }

  release(app: AppKey, version: VersionNumber): void {
    this.desired.get(toKey(app))?.versions.delete(version);
    this.tell({ type: 'release', app: { app: app.app, channel: app.channel }, version });
  }

  remove(app: AppKey): void {
    if (this.desired.delete(toKey(app))) this.tell({ type: 'remove', app: { app: app.app, channel: app.channel } });
  }

  /** Tells every runner, those to come too, which apps another lane serves. */
  setHeavy(apps: AppKey[], socketPath: string | null): void {
    this.heavy = { type: 'heavy', apps, socketPath };
    this.tell(this.heavy);
  }

  /** Has clients go elsewhere, while everything is still answered. */
  leave(): void {
    this.tell({ type: 'leave' });
  }

  /** Ends every runner after what it has under way; by force when the time is up. */
  async stop(drainMs: number): Promise<void> {
    await Promise.all(this.slots.splice(0).map((slot) => this.retire(slot, drainMs)));
    for (const runner of this.leaving) runner.kill();
  }

  private entry(app: AppLane): LaneApp {
    let entry = this.desired.get(toKey(app));
    if (!entry) this.desired.set(toKey(app), (entry = { app, versions: new Map(), served: undefined }));
    return entry;
  }

  private tell(command: RunnerCommand): void {
    for (const runner of this.joined) void runner.call(command, SWITCH_TIMEOUT_MS).catch(() => {});
  }

  private async attempt(runner: RunnerProcess, command: RunnerCommand): Promise<{ runner: RunnerProcess; error?: unknown }> {
    return this.ask(runner, command, SWITCH_TIMEOUT_MS).then(() => ({ runner }), (error: unknown) => ({ runner, error }));
  }

  /**
   * A guest of the heavy lane may hold a runner for as long as its limits let it, one after the other: nothing waits for that, another
   * runner takes its place.
   */
  private async ask(runner: RunnerProcess, command: RunnerCommand, timeoutMs: number): Promise<void> {
    const answer = runner.call(command, timeoutMs);
    if (this.options.kind === 'shared') return void (await answer);
    const answered = new AbortController();
    try {
      await Promise.race([answer, runner.untilBlocked(answered.signal)]);
    } finally {
      answered.abort();
    }
    if (!runner.isBlocked) return void (await answer);
    this.replace(runner);
    throw new RunnerGone('blocked');
  }

  private replace(runner: RunnerProcess): void {
    const slot = this.slots.find((each) => each.runner === runner);
    if (!slot || this.leaving.has(runner)) return;
    this.leaving.add(runner);
    this.preparing.delete(runner);
    void this.finish(runner, this.options.drainMs);
    slot.replaced.resolve('blocked');
  }

  private async prepareEverywhere(app: AppLane, version: Prepared): Promise<void> {
    const results = await Promise.allSettled([...this.joined].map((runner) => this.prepareIn(runner, app, version)));
    const failed = results.find((result) => result.status === 'rejected' && !(result.reason instanceof RunnerGone));
    if (failed) throw (failed as PromiseRejectedResult).reason;
    // Where a runner died, its successor prepares the version before it joins.
    await this.anyJoined();
  }

  private async prepareIn(runner: RunnerProcess, app: AppLane, version: Prepared): Promise<void> {
    const under = this.preparing.get(runner) ?? new Set();
    this.preparing.set(runner, under.add(version));
    // What is still under way when the runner dies stays in the set, and is blamed.
    await this.ask(runner, { type: 'prepare', app, version: version.stored }, PREPARE_TIMEOUT_MS).catch((error: unknown) => {
      if (!(error instanceof RunnerGone)) under.delete(version);
      throw error;
    });
    under.delete(version);
  }

  private async anyJoined(): Promise<void> {
    const deadline = AbortSignal.timeout(PREPARE_TIMEOUT_MS);
    while (this.joined.size === 0) {
      const late = sleep(PREPARE_TIMEOUT_MS, undefined, { ref: false });
      await Promise.race([this.joinedChanged.promise, late]);
      if (deadline.aborted) throw new WhorlError('NODE_PREPARE_TIMEOUT', `no runner of the ${this.options.kind} lane came up within ${PREPARE_TIMEOUT_MS} ms`);
    }
  }

  /** The socket lives as long as some runner listens: one alone would be a risk that others, nearly up, spare us. */
  private async allJoined(): Promise<void> {
    const late = sleep(ALL_JOINED_MS, 'late', { ref: false });
    while (this.joined.size < this.slots.length) {
      if ((await Promise.race([this.joinedChanged.promise, late])) === 'late') return;
    }
  }

  private fill(): Slot {
    const slot: Slot = { runner: undefined, ending: new AbortController(), replaced: Promise.withResolvers(), done: Promise.resolve() };
    slot.done = this.keep(slot);
    return slot;
  }

  private async keep(slot: Slot): Promise<void> {
    const { log, kind } = this.options;
    const backoff = new Backoff(RESPAWN_MIN_MS, RESPAWN_MAX_MS);
    while (!slot.ending.signal.aborted) {
      const { runner, init } = this.options.spawn();
      slot.runner = runner;
      slot.replaced = Promise.withResolvers();
      void runner.exited.then(() => this.leaving.delete(runner));
      const bornMs = performance.now();
      this.start(runner, init).catch((error: unknown) => {
        if (!(error instanceof RunnerGone)) log.error('a runner cannot start', { lane: kind, pid: runner.pid, error });
        runner.kill();
      });
      const how = await Promise.race([runner.exited, slot.replaced.promise]);
      this.forget(runner);
      if (slot.ending.signal.aborted) return;
      this.options.onDeath();
      log.warn('a runner ended and is started again', { lane: kind, pid: runner.pid, how });
      if (performance.now() - bornMs > HEALTHY_AFTER_MS) backoff.reset();
      await sleep(backoff.nextMs(), undefined, { signal: slot.ending.signal }).catch(() => {});
    }
  }

  /** Brings a runner to what the lane holds, and lets it join. */
  private async start(runner: RunnerProcess, init: RunnerCommand): Promise<void> {
    const late = sleep(START_TIMEOUT_MS, 'late', { ref: false });
    if ((await Promise.race([runner.up, late])) === 'late') throw new RunnerLate(`not up within ${START_TIMEOUT_MS} ms`);
    await runner.call(init, START_TIMEOUT_MS);
    const held: Held = new Map();
    for (let commands = catchUp(this.desired, held); commands.length > 0; commands = catchUp(this.desired, held)) {
      for (const command of commands) {
        if (command.type === 'prepare') await this.replay(runner, command.app, command.version);
        else await runner.call(command, SWITCH_TIMEOUT_MS);
        note(held, command);
      }
    }
    if (this.heavy) void runner.call(this.heavy, SWITCH_TIMEOUT_MS).catch(() => {});
    this.joined.add(runner);
    this.joinedChanged.resolve();
    this.joinedChanged = Promise.withResolvers();
    if (this.target) await this.listen(runner);
  }

  /** One that this runner alone cannot prepare matters when it is to be served: then `serve` fails here. */
  private async replay(runner: RunnerProcess, app: AppLane, stored: StoredVersion): Promise<void> {
    const version = this.desired.get(toKey(app))?.versions.get(stored.version);
    if (version?.stored !== stored) return;
    await this.prepareIn(runner, app, version).catch((error: unknown) => {
      if (!(error instanceof WhorlError)) throw error;
      this.options.log.warn('a runner cannot prepare what others have', { pid: runner.pid, app: toKey(app), version: stored.version, error });
    });
  }

  private async listen(runner: RunnerProcess): Promise<void> {
    const { error } = await this.attempt(runner, { type: 'listen', target: this.target!, relayPath: this.options.relayPath });
    if (!error) return this.accepts(runner);
    if (!(error instanceof RunnerGone)) this.options.log.error('a runner cannot listen', { pid: runner.pid, error });
    runner.kill();
  }

  private accepts(runner: RunnerProcess): void {
    this.accepting.add(runner);
    this.options.onAccepting();
  }

  private forget(runner: RunnerProcess): void {
    this.joined.delete(runner);
    if (this.accepting.delete(runner)) this.options.onAccepting();
    const blamed = this.preparing.get(runner) ?? [];
    this.preparing.delete(runner);
    for (const version of blamed) {
      if (++version.deaths >= MAX_DEATHS) this.refuse(version);
    }
  }

  private refuse(version: Prepared): void {
    const failure = new WhorlError('NODE_RUNNER_FAILED', `${version.deaths} runners died while they prepared version ${version.stored.version}`);
    version.refused.reject(failure);
    for (const entry of this.desired.values()) {
      if (entry.versions.get(version.stored.version) !== version) continue;
      if (entry.served?.serve.some((share) => share.version === version.stored.version)) entry.served = undefined;
      this.release(entry.app, version.stored.version);
      this.options.onRefused(entry.app, version.stored.version, failure);
    }
  }

  private async retire(slot: Slot, drainMs: number): Promise<void> {
    slot.ending.abort();
    const { runner } = slot;
    if (runner) await this.finish(runner, drainMs);
    await slot.done;
  }

  /** Lets a runner end what it has under way, if it serves anything, and sees that it ends. */
  private async finish(runner: RunnerProcess, drainMs: number): Promise<void> {
    if (this.accepting.delete(runner)) this.options.onAccepting();
    if (this.joined.delete(runner)) await runner.call({ type: 'drain', timeoutMs: drainMs }, drainMs + DRAIN_EXTRA_MS).catch(() => {});
    // It ends by itself when it has answered.
    await Promise.race([runner.exited, sleep(DRAIN_EXTRA_MS, undefined, { ref: false })]);
    runner.kill();
  }
}
