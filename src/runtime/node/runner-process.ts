import type { Worker } from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import { WhorlError } from '#contract/errors.js';
import type { SampledChannel } from '#runtime/meter/version-samples.js';
import type { UsageSum } from '#runtime/meter/usage-tally.js';
import type { ChannelRequests } from '#runtime/trigger/channel-table.js';
import type { LetGoCounts } from '#runtime/trigger/let-go-tally.js';
import type { AskedPreview } from '#runtime/trigger/preview-arrivals.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';
import type { AppKey } from './app-lane.js';
import { toFailure } from './command-failure.js';
import { BEAT_MS, BLOCKED_AFTER_MS, type CommandFailure, type CommandMessage, type RunnerCommand, type RunnerLoad, type RunnerMessage } from './runner-protocol.js';

/** The runner ended, or was ended, before it answered. */
export class RunnerGone extends Error {
  override name = 'RunnerGone';
}

/** The runner did not answer in time. */
export class RunnerLate extends Error {
  override name = 'RunnerLate';
}

interface Call {
  resolve(value: number | undefined): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** What a runner says unasked. */
export interface RunnerEvents {
  heavy(app: AppKey): void;
  /** Rejects with a WhorlError. */
  mend(app: AppKey, stored: StoredVersion): Promise<void>;
  /** Rejects with a WhorlError. */
  preview(asked: AskedPreview): Promise<void>;
  unloadable(app: AppKey, stored: StoredVersion, failure: CommandFailure): void;
  /** What its guests used since it last said so, and the channels that have requests now. */
  used(usage: readonly UsageSum[], requests: readonly ChannelRequests[]): void;
  /** Requests that were under way when their channel was let go of, since its start. */
  letGo(counts: LetGoCounts): void;
  /** What became of requests to channels that serve several versions since it last said so. */
  sampled(channels: readonly SampledChannel[]): void;
}

/** One runner, seen from the supervisor. */
export class RunnerProcess {
  /** Fulfilled with how it ended. */
  readonly exited: Promise<string>;
  /** Fulfilled when it takes commands; rejected when it ends first. */
  readonly up: Promise<void>;
  private readonly calls = new Map<number, Call>();
  private lastId = 0;
  private lastSignMs = performance.now();
  private gone = false;
  /** As it last said; undefined: nobody asked it to, or not yet. */
  load: RunnerLoad | undefined;

  constructor(private readonly worker: Worker, readonly writer: string, on: RunnerEvents) {
    const up = Promise.withResolvers<void>();
    const exited = Promise.withResolvers<string>();
    this.up = up.promise;
    this.exited = exited.promise;
    up.promise.catch(() => {});
    worker.on('message', (message: RunnerMessage) => {
      this.lastSignMs = performance.now();
      if (message.type === 'reply') this.settle(message);
      else if (message.type === 'beat') {
        this.load = message.load;
        on.used(message.usage ?? [], message.requests ?? []);
        if (message.letGo) on.letGo(message.letGo);
        on.sampled(message.samples ?? []);
      } else if (message.type === 'heavy') on.heavy(message.app);
      else if (message.type === 'unloadable') on.unloadable(message.app, message.stored, message.failure);
      else if (message.type === 'mend') void this.mended(message.call, on.mend(message.app, message.stored));
      else if (message.type === 'preview') void this.mended(message.call, on.preview(message.asked));
      else if (message.type === 'up') up.resolve();
    });
    // A message that meets a dying process: its end is told by 'exit'.
    worker.on('error', () => {});
    worker.once('exit', (code, signal) => {
      this.gone = true;
      const how = signal ? `killed by ${signal}` : `exit status ${code}`;
      up.reject(new RunnerGone(how));
      for (const call of this.calls.values()) {
        clearTimeout(call.timer);
        call.reject(new RunnerGone(how));
      }
      this.calls.clear();
      exited.resolve(how);
    });
  }

  get pid(): number | undefined {
    return this.worker.process.pid;
  }

  /** True when its thread has been held for long. */
  get isBlocked(): boolean {
    return performance.now() - this.lastSignMs > BLOCKED_AFTER_MS;
  }

  /**
   * Sends a command and waits for its reply: what that has as `value`. Throws a WhorlError when the runner reports one, RunnerGone when
   * it ends first, RunnerLate when the time is up.
   */
  call(command: RunnerCommand, timeoutMs: number): Promise<number | undefined> {
    if (this.gone) return Promise.reject(new RunnerGone('ended'));
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.calls.delete(id);
        reject(new RunnerLate(`no answer to ${command.type} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.calls.set(id, { resolve, reject, timer });
      this.worker.send({ id, command } satisfies CommandMessage);
    });
  }

  /** Resolves when its thread has been held for long, or `signal` aborts. */
  async untilBlocked(signal: AbortSignal): Promise<void> {
    while (!this.isBlocked && !signal.aborted) await sleep(BEAT_MS, undefined, { signal }).catch(() => {});
  }

  kill(): void {
    this.worker.process.kill('SIGKILL');
  }

  private async mended(call: number, work: Promise<void>): Promise<void> {
    const failure = await work.then(() => undefined, toFailure);
    await this.call({ type: 'mended', call, ...(failure && { failure }) }, BLOCKED_AFTER_MS).catch(() => {});
  }

  private settle({ id, failure, value }: Extract<RunnerMessage, { type: 'reply' }>): void {
    const call = this.calls.get(id);
    if (!call) return;
    this.calls.delete(id);
    clearTimeout(call.timer);
    if (failure) call.reject(new WhorlError(failure.code, failure.message));
    else call.resolve(value);
  }
}
