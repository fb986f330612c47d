import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { WhorlError } from '#contract/errors.js';
import { BuildDone, type BuildOrder } from './build-report.js';

export interface BuildLimits {
  timeoutMs: number;
  memoryBytes: number;
}

export interface BuildProcessOptions extends BuildLimits {
  /** The compiled build-worker.js. */
  workerPath: string;
  /** Folder that results are written below; the worker can write nowhere else. */
  workFolder: string;
}

const MEMORY_CHECK_MS = 100;
const STDERR_KEPT = 4096;

/** One build worker. It takes one order at a time; whatever goes wrong ends it for good. */
export class BuildProcess {
  builds = 0;
  private readonly child: ChildProcess;
  private stderr = '';
  private ended = false;

  constructor(private readonly options: BuildProcessOptions) {
    this.child = fork(options.workerPath, [], {
      // None of this process's variables: they hold its secrets.
      env: {},
      execArgv: [
        // The rest is for code and buffers outside of the heap; the sum is checked while it runs.
        `--max-old-space-size=${Math.max(64, Math.floor(options.memoryBytes / 2 / 1024 / 1024))}`,
        // The toolbox that makes components of core modules starts a thread and loads an add-on. No network, no processes.
        '--permission', '--allow-worker', '--allow-addons', '--allow-fs-read=*', `--allow-fs-write=${options.workFolder}`,
      ],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr = (this.stderr + text).slice(-STDERR_KEPT)));
    this.child.on('exit', () => (this.ended = true));
    this.child.on('error', () => (this.ended = true));
    this.rest();
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get usable(): boolean {
    return !this.ended && this.child.connected;
  }

  /**
   * Returns once the order's folder holds the report. Throws REGISTRY_BUILD_EXCEEDED over the limits, REGISTRY_BUILD_FAILED when the
   * worker dies, the signal's reason when it aborts; the worker is then killed.
   */
  async run(order: BuildOrder, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.builds++;
    this.child.ref();
    this.child.channel?.ref();
    const watch = new AbortController();
    try {
      await Promise.race([this.result(order, watch.signal), this.limits(watch.signal), aborted(signal, watch.signal)]);
      this.rest();
    } catch (error) {
      this.kill();
      throw error;
    } finally {
      watch.abort();
    }
  }

  kill(): void {
    this.ended = true;
    this.child.kill('SIGKILL');
  }

  /** Idle, it does not keep this process alive. */
  private rest(): void {
    this.child.unref();
    this.child.channel?.unref();
    (this.child.stderr as { unref?(): void } | null)?.unref?.();
  }

  private result(order: BuildOrder, done: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onMessage = (message: unknown) => {
        const parsed = BuildDone.safeParse(message);
        if (parsed.success && parsed.data.done === order.order) resolve();
      };
      const onExit = (code: number | null, signal: string | null) => reject(this.died(code, signal));
      const onError = (cause: Error) => reject(new WhorlError('REGISTRY_BUILD_FAILED', `the build worker could not be reached: ${cause.message}`, { cause }));
      this.child.on('message', onMessage).on('exit', onExit).on('error', onError);
      done.addEventListener('abort', () => this.child.off('message', onMessage).off('exit', onExit).off('error', onError), { once: true });
      if (!this.usable) reject(this.died(this.child.exitCode, this.child.signalCode));
      else this.child.send(order, (cause) => cause && onError(cause));
    });
  }

  private died(code: number | null, signal: string | null): WhorlError {
    if (/heap out of memory|Array buffer allocation failed/.test(this.stderr)) return this.overMemory();
    return new WhorlError('REGISTRY_BUILD_FAILED', `the build worker ended (${signal ?? `exit status ${code}`})`, { cause: this.stderr });
  }

  private overMemory(): WhorlError {
    return new WhorlError('REGISTRY_BUILD_EXCEEDED', `building it takes more than ${this.options.memoryBytes} bytes of memory`);
  }

  private limits(done: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      const { timeoutMs, memoryBytes } = this.options;
      const timer = setTimeout(() => reject(new WhorlError('REGISTRY_BUILD_EXCEEDED', `building it takes more than ${timeoutMs} ms`)), timeoutMs);
      const check = setInterval(() => {
        void residentBytes(this.pid).then((bytes) => {
          if (bytes > memoryBytes && !done.aborted) reject(this.overMemory());
        });
      }, MEMORY_CHECK_MS);
      done.addEventListener('abort', () => {
        clearTimeout(timer);
        clearInterval(check);
      }, { once: true });
    });
  }
}

function aborted(signal: AbortSignal, done: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true, signal: done });
  });
}

/** Memory of a process in RAM; 0 where the system does not say (only Linux does, as a file), where the heap's own limit has to do. */
async function residentBytes(pid: number | undefined): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
