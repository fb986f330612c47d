import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WhorlError } from '#contract/errors.js';
import { BuildProcess, type BuildProcessOptions } from './build-process.js';
import { type BuildInput, type BuildOrder, BuildReport, REPORT_FILE } from './build-report.js';

export interface BuildPoolOptions extends BuildProcessOptions {
  /** Builds at the same time. */
  workers: number;
}

/** A worker is replaced after this many builds: what one hostile input may have left in it has an end. */
const BUILDS_PER_WORKER = 50;

/**
 * Hands builds to worker processes. One is kept warm, so that a small component does not pay for the start of a process; after any
 * error a new one takes its place.
 */
export class BuildPool {
  private readonly idle: BuildProcess[] = [];
  private readonly busy = new Set<BuildProcess>();
  private readonly waiting: (() => void)[] = [];
  private running = 0;
  private orders = 0;
  private closed = false;

  constructor(private readonly options: BuildPoolOptions) {}

  /** Starts the worker that is kept. */
  warm(): void {
    if (!this.closed && this.idle.length === 0 && this.busy.size < this.options.workers) this.idle.push(new BuildProcess(this.options));
  }

  /**
   * Builds a component with its dependencies; `folder` (made here) takes the result, see build-report.ts. Throws what BuildProcess.run
   * throws; a component that is refused is a report, no error.
   */
  async build(input: BuildInput, folder: string, signal: AbortSignal): Promise<BuildReport> {
    await this.enter(signal);
    try {
      await mkdir(folder);
      return await this.runOrder({ order: ++this.orders, ...input, folder }, signal);
    } finally {
      this.leave();
    }
  }

  /** Process ids of the workers that build. */
  pids(): number[] {
    return [...this.busy].flatMap(({ pid }) => pid ?? []);
  }

  /** Ends every worker; builds that run fail. */
  close(): void {
    this.closed = true;
    for (const worker of [...this.idle.splice(0), ...this.busy]) worker.kill();
  }

  private async runOrder(order: BuildOrder, signal: AbortSignal): Promise<BuildReport> {
    const worker = this.take();
    this.busy.add(worker);
    let report: BuildReport | undefined;
    try {
      await worker.run(order, signal);
      report = await readReport(order.folder);
      return report;
    } finally {
      this.busy.delete(worker);
      this.giveBack(worker, report?.ok === true);
    }
  }

  private take(): BuildProcess {
    if (this.closed) throw new WhorlError('REGISTRY_BUILD_FAILED', 'the registry is shutting down');
    for (let worker = this.idle.pop(); worker; worker = this.idle.pop()) {
      if (worker.usable) return worker;
    }
    return new BuildProcess(this.options);
  }

  private giveBack(worker: BuildProcess, healthy: boolean): void {
    const keep = healthy && worker.usable && worker.builds < BUILDS_PER_WORKER && !this.closed && (this.idle.length === 0 || this.waiting.length > 0);
    if (keep) this.idle.push(worker);
    else {
      worker.kill();
      this.warm();
    }
  }

  private async enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.running < this.options.workers) {
      this.running++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', stop);
        resolve();
      };
      const stop = () => {
        this.waiting.splice(this.waiting.indexOf(go), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', stop, { once: true });
      this.waiting.push(go);
    });
  }

  /** The place goes straight to who waits longest. */
  private leave(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.running--;
  }
}

async function readReport(folder: string): Promise<BuildReport> {
  const parsed = BuildReport.safeParse(JSON.parse(await readFile(join(folder, REPORT_FILE), 'utf8')));
  if (!parsed.success) throw new WhorlError('REGISTRY_BUILD_FAILED', 'the build worker left a report that makes no sense', { cause: parsed.error });
  return parsed.data;
}
