import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import type { DataDir } from './data-dir.js';
import { LogFile } from './log-file.js';
import type { Screen } from './screen.js';

const START_TIMEOUT_MS = 60_000;
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;
const GROUP_GRACE_MS = 1_000;
/** One that lived this long is not in a crash loop. */
const HEALTHY_AFTER_MS = 30_000;

/** What a process of the platform says to its parent when it serves. */
const Listening = z.object({ type: z.literal('listening') });

export interface ChildOptions {
  /** As the user reads it: `control plane`. */
  name: string;
  /** Name of its log. */
  log: string;
  script: string;
  env: Record<string, string>;
  /** What it has for itself to finish requests and ship what it holds. */
  stopTimeoutMs: number;
}

/**
 * One process of the platform: started, started again when it dies, stopped in order. It ends by itself when we are gone (it sees
 * its channel to us close), so nothing is left behind whatever happens to us.
 */
export class Child {
  private process: ChildProcess | undefined;
  private stopping = false;
  private backoffMs = FIRST_BACKOFF_MS;
  private readonly file: LogFile;

  constructor(private readonly options: ChildOptions, private readonly dir: DataDir, private readonly screen: Screen) {
    dir.folder('logs');
    this.file = new LogFile(dir.at('logs', `${options.log}.log`), (line) => screen.childLine(options.name, line));
  }

  /** Returns when it serves. Throws UP_PROCESS_FAILED with what it wrote when it ends first. */
  async start(): Promise<void> {
    const failure = await this.spawn();
    if (failure === undefined) return;
    await this.kill();
    throw new WhorlError('UP_PROCESS_FAILED', `the ${this.options.name} ${failure}\n${this.file.tail}`);
  }

  /** Stops what runs and starts it with other settings. */
  restart(env: Record<string, string>): void {
    this.options.env = env;
    this.process?.kill('SIGTERM');
  }

  /** Asks it to finish what it does and end; ends it by force when its time is up or `force` aborts. */
  async stop(force: AbortSignal): Promise<void> {
    this.stopping = true;
    const child = this.process;
    if (!child) return;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.kill('SIGTERM');
    const timer = AbortSignal.any([force, AbortSignal.timeout(this.options.stopTimeoutMs)]);
    timer.addEventListener('abort', () => void this.kill(), { once: true });
    if (timer.aborted) await this.kill();
    await ended;
  }

  /** undefined when it serves, else what happened. */
  private spawn(): Promise<string | undefined> {
    const { script, env } = this.options;
    const child = fork(script, [], {
      env,
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A group of its own: Ctrl-C in the terminal reaches us alone, and we stop things in order.
      detached: true,
    });
    this.process = child;
    const bornMs = performance.now();
    if (child.pid !== undefined) this.dir.add({ pid: child.pid, program: script });
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => this.file.write(text));
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(`did not serve within ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS);
      let serves = false;
      child.on('message', (message) => {
        if (!Listening.safeParse(message).success) return;
        serves = true;
        clearTimeout(timer);
        resolve(undefined);
      });
      child.once('error', (error) => resolve(`cannot be started: ${error.message}`));
      // Its own processes follow it; one that is stuck in a guest is not waited for.
      child.once('exit', () => setTimeout(() => killGroup(child), GROUP_GRACE_MS).unref());
      // 'close' comes when its output has been read to the end.
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        this.process = undefined;
        if (child.pid !== undefined) this.dir.remove(child.pid);
        const how = `ended (${signal ?? `exit status ${code}`})`;
        resolve(how);
        if (serves) void this.revive(how, performance.now() - bornMs);
      });
    });
  }

  /** Starts it again, slower each time, until it serves. */
  private async revive(how: string, livedMs: number): Promise<void> {
    if (livedMs > HEALTHY_AFTER_MS) this.backoffMs = FIRST_BACKOFF_MS;
    for (let what: string | undefined = how; what !== undefined && !this.stopping; ) {
      this.screen.warn(`the ${this.options.name} ${what}; starting it again in ${this.backoffMs / 1000} s`);
      await sleep(this.backoffMs);
      this.backoffMs = Math.min(this.backoffMs * 2, MAX_BACKOFF_MS);
      if (this.stopping) return;
      what = await this.spawn();
      if (what === undefined) this.screen.line(`the ${this.options.name} serves again`);
      else await this.kill();
    }
  }

  private async kill(): Promise<void> {
    const child = this.process;
    if (!child) return;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    if (killGroup(child)) await ended;
  }
}

/** False when nobody was left. */
function killGroup({ pid }: ChildProcess): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, 'SIGKILL');
  } catch {
    return false;
  }
}
