import type { VersionArtifact } from '#contract/artifact.js';
import type { LockedHttpTrigger } from '#contract/bundle/locked-app.js';
import type { RouteMatch } from '#contract/bundle/routes.js';
import { WhorlError } from '#contract/errors.js';
import type { Ending } from '#runtime/capability/ending.js';
import type { HttpExchange } from '#runtime/capability/guest.js';
import type { InvocationRequest, InvocationRun } from '#runtime/component/invocation-run.js';
import { LoadedVersion } from './loaded-version.js';
import type { LoadedVersions, Unloadable } from './loaded-versions.js';
import type { StoredVersion } from './stored-version.js';
import type { AppLane, RouteTarget, VersionHost } from './version-host.js';

/** A version that could not be loaded is not tried again for so long: each try may cost as much as many requests. */
const RETRY_AFTER_MS = 1_000;

/**
 * One version of an app in a runner. It is known by a few names; what it takes to answer is loaded from disk when it is asked for,
 * and let go of when nobody asks any more.
 *
 *     known ──load──▶ loading ──▶ loaded ──unload (nothing runs)──▶ known
 *       ▲                │
 *       └────failure─────┘
 */
export class AppVersion implements Unloadable {
  /** When it was last asked for, ms since the epoch. */
  usedAtMs = 0;
  /** Requests that wait until it is loaded. */
  arriving = 0;
  /** Requests that run. */
  running = 0;
  private waiting: (() => void)[] = [];
  private loaded: LoadedVersion | null = null;
  private loading: Promise<void> | null = null;
  private failure: { error: WhorlError; atMs: number } | null = null;
  private closed = false;

  /** @param lane gives the names and the values of the variables */
  constructor(private readonly host: VersionHost, private readonly among: LoadedVersions, public lane: AppLane, readonly stored: StoredVersion) {}

  /** Whether it can answer at once; notes that it was asked for. */
  ready(): boolean {
    this.usedAtMs = Date.now();
    return this.loaded !== null;
  }

  get isLoaded(): boolean {
    return this.loaded !== null;
  }

  get isIdle(): boolean {
    return this.running === 0 && this.arriving === 0;
  }

  /**
   * Reads, compiles and makes one instance of each component; who asks meanwhile shares the work. Throws a WhorlError: NODE_BLOB_CORRUPT,
   * COMPONENT_VARIABLE_MISSING, or as `ComponentProgram.load` and `bind` do.
   */
  load(): Promise<void> {
    if (this.loaded) return Promise.resolve();
    if (this.failure && Date.now() - this.failure.atMs < RETRY_AFTER_MS) return Promise.reject(this.failure.error);
    this.loading ??= this.read().finally(() => {
      this.loading = null;
    });
    return this.loading;
  }

  /** Back to what is known, unless a request runs or waits. */
  unload(): boolean {
    if (!this.loaded || !this.isIdle) return false;
    this.letGo();
    return true;
  }

  /** New values of the app's variables, and another runtime configuration. Throws COMPONENT_VARIABLE_MISSING. */
  setLane(lane: AppLane): void {
    this.lane = lane;
    if (this.loaded && !this.loaded.setValues(lane)) this.replace();
  }

  /** Only of one that is loaded, like everything below that answers requests. */
  get artifact(): VersionArtifact {
    return this.loaded!.artifact;
  }

  match(path: string): RouteMatch<RouteTarget> | undefined {
    return this.loaded!.match(path);
  }

  /** Whether its guests have come to take little CPU. */
  isQuick(trigger: LockedHttpTrigger): boolean {
    return this.loaded!.isQuick(trigger);
  }

  invoke(trigger: LockedHttpTrigger, request: InvocationRequest): InvocationRun {
    return this.loaded!.invoke(trigger, request);
  }

  chain(component: string | null, exchange: HttpExchange, from: InvocationRequest, ending: Ending): void {
    this.loaded!.chain(component, exchange, from, ending);
  }

  /** One request has begun: `leave` is called once when it is over. */
  enter(): void {
    this.running++;
  }

  leave(): void {
    if (--this.running > 0 || this.waiting.length === 0) return;
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when no request runs. */
  settled(): Promise<void> {
    return this.running === 0 ? Promise.resolve() : new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Lets go of everything for good; what runs, runs to its end. */
  close(): void {
    this.closed = true;
    // What was handed a route before may still be invoked.
    this.loaded?.close();
    this.among.delete(this);
  }

  /** Loads it anew; what is there serves on until then, and what runs in it runs to its end. A failure is in the app's log. */
  private replace(): void {
    this.loading ??= this.read().finally(() => {
      this.loading = null;
    });
    this.loading.catch(() => undefined);
  }

  private letGo(): void {
    this.loaded?.close();
    this.loaded = null;
    this.among.delete(this);
  }

  private async read(): Promise<void> {
    try {
      const loaded = await this.fitting();
      if (this.closed) return loaded.close();
      this.loaded?.close();
      this.loaded = loaded;
      this.failure = null;
      this.usedAtMs = Date.now();
      this.among.add(this);
    } catch (cause) {
      const error = cause instanceof WhorlError ? cause : new WhorlError('COMPONENT_COMPILE_FAILED', (cause as Error).message, { cause });
      this.failure = { error, atMs: Date.now() };
      this.note(error);
      throw error;
    }
  }

  /** Values may change while it is loaded, and then it may have to be loaded anew. */
  private async fitting(): Promise<LoadedVersion> {
    for (;;) {
      const { lane } = this;
      const loaded = await this.fromDisk(lane).catch(async (error: unknown) => {
        if (!(error instanceof WhorlError && error.code === 'NODE_BLOB_CORRUPT')) throw error;
        await this.host.mend(lane, this.stored);
        return this.fromDisk(lane);
      });
      if (this.closed || this.lane === lane || loaded.setValues(this.lane)) return loaded;
      loaded.close();
    }
  }

  private async fromDisk(lane: AppLane): Promise<LoadedVersion> {
    const bytes = await this.host.modules.bytes(this.stored.artifact);
    return LoadedVersion.load(this.host, lane, JSON.parse(bytes.toString('utf8')) as VersionArtifact, this);
  }

  /** Into the app's log. */
  private note({ code, message }: WhorlError): void {
    const { org, app, channel } = this.lane;
    const line = `${code}: ${message}`;
    // Of no component in particular: the message names it where it is known.
    this.host.meter.log({ kind: 'log', at: Date.now(), org, app, channel, version: this.stored.version, component: '', requestId: 'start', stream: 'platform', line });
  }
}
