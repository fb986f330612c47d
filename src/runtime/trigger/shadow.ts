import { type Shadow as ShadowSettings, SHADOW_MARK, type SkipReason } from '#contract/shadow.js';
import { GROUPS, OVERDUE_MS } from '#contract/samples.js';
import { ShadowTally } from '#runtime/meter/shadow-tally.js';
import { ChannelSamples, type Ended } from '#runtime/meter/version-samples.js';
import { Admission } from '#runtime/component/admission.js';
import { AppVersion } from './app-version.js';
import { CpuShare } from './cpu-share.js';
import { answerStatic } from './loaded-version.js';
import type { LoadedVersions } from './loaded-versions.js';
import { type CopiedHead, type CopyKeeper, ShadowCopy } from './shadow-copy.js';
import { differenceOf, type WholeAnswer } from './shadow-compare.js';
import { ShadowRequest } from './shadow-request.js';
import type { StoredVersion } from './stored-version.js';
import type { AppLane, VersionHost } from './version-host.js';

/** The most CPU that a copy may use: guests hold the thread that clients wait for. */
export const SHADOW_CPU_MS = 50;
/** An original that took more is not copied: its copy could not be told from one that is worse. */
const HEAVY_CPU_MS = SHADOW_CPU_MS / 2;
/** Of the thread's time, for copies of one channel; and how much of it is saved up. */
const CPU_SHARE = 0.1;
const CPU_SAVED_MS = 100;
/** Originals under way that are taken down, and copies that wait and run. */
const MAX_OPEN = 256;
const MAX_QUEUED = 64;
const MAX_RUNNING = 8;
const MAX_HELD_BYTES = 16 * 1024 * 1024;
const MAX_PATH = 256;

/** Where the new version has no route, the front answers for it. */
const NO_ROUTE: WholeAnswer = { status: 404, headers: [], body: [], bodyBytes: 0 };

/**
 * Gives copies of a channel's requests to a version that serves nobody. A copy begins when its original has been answered, waits for its turn
 * behind clients, and is dropped and counted when there is no room: nothing that becomes of it is felt by the original.
 *
 *     taken down ──original over──▶ queued ──a turn and CPU left──▶ runs ──▶ compared
 *          └───────────────────────────┴── skipped, with the reason ──┘
 */
export class Shadow implements CopyKeeper {
  readonly samples = new ChannelSamples();
  readonly tally: ShadowTally;
  /** One of its own, whose guests can change nothing. */
  readonly version: AppVersion;
  private readonly ignored: ReadonlySet<string>;
  private readonly cpu = new CpuShare(CPU_SHARE, CPU_SAVED_MS);
  private queue: ShadowCopy[] = [];
  private open = 0;
  private running = 0;
  private heldBytes = 0;
  private turn: NodeJS.Immediate | NodeJS.Timeout | null = null;
  private isClosed = false;

  // oxlint-disable-next-line max-params -- what a version is made of, and how it is used
  constructor(readonly settings: ShadowSettings, host: VersionHost, among: LoadedVersions, lane: AppLane, stored: StoredVersion) {
    const own: VersionHost = {
      ...host,
      synthetic: { trigger: 'whorl:shadow', cpuMs: SHADOW_CPU_MS, mark: SHADOW_MARK },
      // Clients never wait for a copy's place.
      admission: new Admission(MAX_RUNNING),
      onStrike: () => undefined,
      onUsed: (_lane, cpuMs) => this.cpu.spend(cpuMs),
    };
    this.version = new AppVersion(own, among, lane, stored);
    this.ignored = new Set(settings.ignoredFields);
    this.tally = new ShadowTally(settings.version);
    // Why it cannot be loaded is in the app's log; copies are skipped until it is.
    this.version.load().catch(() => undefined);
  }

  /** Whether it can go on for another state of the channel. */
  isOf(settings: ShadowSettings, { artifact }: StoredVersion): boolean {
    return JSON.stringify(settings) === JSON.stringify(this.settings) && artifact === this.version.stored.artifact;
  }

  /** Takes a request down, if it is among those that are copied and there is room; null: it is not. */
  begin(of: CopiedHead, hasBody: boolean): ShadowCopy | null {
    if (Math.random() * 100 >= this.settings.percent) return null;
    if (this.open >= MAX_OPEN || this.queue.length >= MAX_QUEUED) {
      this.tally.skipped(of.component, 'busy');
      return null;
    }
    this.open++;
    return new ShadowCopy(this, of, hasBody);
  }

  hold(bytes: number): boolean {
    if (this.heldBytes + bytes > MAX_HELD_BYTES) return false;
    this.heldBytes += bytes;
    return true;
  }

  skip(copy: ShadowCopy, reason: SkipReason): void {
    this.open--;
    this.leave(copy, reason);
  }

  complete(copy: ShadowCopy): void {
    this.open--;
    if (copy.ended.code === 'COMPONENT_BUSY') return this.leave(copy, 'busy');
    if ((copy.ended.cpuMs ?? Infinity) > HEAVY_CPU_MS) return this.leave(copy, 'heavy');
    if (this.isClosed || this.queue.length >= MAX_QUEUED) return this.leave(copy, 'busy');
    this.queue.push(copy);
    this.takeTurn();
  }

  /** Lets go of the version; copies that run, run to their end and count for nobody. */
  close(): void {
    this.isClosed = true;
    this.queue = [];
    if (this.turn) {
      clearImmediate(this.turn as NodeJS.Immediate);
      clearTimeout(this.turn as NodeJS.Timeout);
    }
    this.version.close();
  }

  /** One copy in a turn of the event loop: answers of clients leave in between. */
  private takeTurn(): void {
    if (this.turn || this.queue.length === 0 || this.running >= MAX_RUNNING) return;
    const waitMs = this.cpu.waitMs(performance.now());
    const next = () => {
      this.turn = null;
      const copy = this.cpu.waitMs(performance.now()) === 0 ? this.queue.shift() : undefined;
      if (copy) this.run(copy);
      this.takeTurn();
    };
    this.turn = waitMs === 0 ? setImmediate(next) : setTimeout(next, waitMs).unref();
  }

  private run(copy: ShadowCopy): void {
    const { version } = this;
    const { component, pathWithQuery } = copy.of;
    if (!version.ready()) {
      version.load().catch(() => undefined);
      return this.leave(copy, 'notReady');
    }
    const match = version.match(pathWithQuery.split('?', 1)[0]!);
    if (!match) return this.compare(copy, NO_ROUTE);
    const request = new ShadowRequest(copy, version, match);
    const { trigger } = match.value;
    if (trigger.staticResponse) {
      answerStatic(request.exchange, trigger.staticResponse);
      return this.compare(copy, request.exchange.answered);
    }
    const group = Math.floor(Math.random() * GROUPS);
    const startedMs = performance.now();
    const count = (own: Ended | null): void => {
      this.samples.note(copy.of.version, component, { group, durationMs: copy.tookMs, ended: copy.ended });
      this.samples.note(version.stored.version, trigger.component!, { group, durationMs: performance.now() - startedMs, ended: own });
    };
    let isOverdue = false;
    const late = setTimeout(() => {
      isOverdue = true;
      if (!request.wasRefused) count(null);
    }, OVERDUE_MS).unref();
    this.running++;
    version.enter();
    request.onOver = (ended) => {
      clearTimeout(late);
      this.running--;
      version.leave();
      // One that used all that a copy may is no failure, and has no answer: what it used is seen.
      const struck = ended.code === 'COMPONENT_CPU_LIMIT' && (ended.cpuMs ?? 0) >= SHADOW_CPU_MS;
      if (!request.wasRefused && !isOverdue) count(struck ? { ...ended, code: null, status: 200 } : ended);
      if (request.wasRefused) this.leave(copy, 'refused');
      else if (struck) this.leave(copy, 'heavy');
      else if (ended.code === 'COMPONENT_BUSY') this.leave(copy, 'busy');
      else if (request.exchange.isTooLarge) this.leave(copy, 'tooLarge');
      else this.compare(copy, request.exchange.answered);
      this.takeTurn();
    };
    version.invoke(trigger, request);
  }
  private compare(copy: ShadowCopy, own: WholeAnswer): void {
    const { component, request, pathWithQuery } = copy.of;
    const difference = differenceOf(copy.answered, own, this.ignored);
    this.release(copy);
    if (!difference) return this.tally.equal(component);
    const path = pathWithQuery.split('?', 1)[0]!.slice(0, MAX_PATH);
    this.tally.different(component, () => ({ atMs: Date.now(), method: (request.method ?? 'GET').slice(0, 32), path, ...difference }));
  }

  private leave(copy: ShadowCopy, reason: SkipReason): void {
    this.release(copy);
    this.tally.skipped(copy.of.component, reason);
  }

  private release(copy: ShadowCopy): void {
    this.heldBytes -= copy.heldBytes;
    copy.heldBytes = 0;
  }
}
