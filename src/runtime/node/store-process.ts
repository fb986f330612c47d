import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { StoreAnswer } from '#contract/store-request.js';
import type { StoreJob } from './store.process.js';

/** Nobody looks into stores most of the time. */
const IDLE_MS = 10_000;
/** What a job has beyond its own time before its process is ended. */
const GRACE_MS = 2_000;
const HEAP_MB = 256;

interface Waiting {
  settle(answer: StoreAnswer): void;
  timer: NodeJS.Timeout;
}

/** The process that looks into stores: started when it is needed, ended when it is idle, or stuck. */
export class StoreProcess {
  private child: ChildProcess | undefined;
  private readonly waiting = new Map<string, Waiting>();
  private idle: NodeJS.Timeout | undefined;
  private isStopped = false;

  /** @param environment undefined takes a variable of this process's out */
  constructor(private readonly environment: Record<string, string | undefined>) {}

  /** Never rejects. */
  run(job: StoreJob): Promise<StoreAnswer> {
    if (this.isStopped) return Promise.resolve({ result: 'failed', reason: 'store', message: 'the node is being stopped' });
    return new Promise((settle) => {
      clearTimeout(this.idle);
      const child = this.started();
      const timer = setTimeout(() => child.kill('SIGKILL'), job.timeoutMs + GRACE_MS);
      this.waiting.set(job.id, { settle, timer });
      child.send(job, (error) => {
        if (error) this.answer(job.id, { result: 'failed', reason: 'store', message: 'the process that looks into stores ended' });
      });
    });
  }

  /** Ends it, with whatever is under way. */
  stop(): void {
    this.isStopped = true;
    clearTimeout(this.idle);
    this.child?.kill('SIGKILL');
  }

  private started(): ChildProcess {
    if (this.child) return this.child;
    const child = fork(fileURLToPath(new URL('./store.process.js', import.meta.url)), [], {
      env: Object.fromEntries(Object.entries({ ...process.env, ...this.environment }).filter(([, value]) => value !== undefined)),
      execArgv: ['--no-warnings', `--max-old-space-size=${HEAP_MB}`],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.child = child;
    child.on('message', ({ id, answer }: { id: string; answer: StoreAnswer }) => this.answer(id, answer));
    child.on('error', () => this.gone(child));
    child.on('exit', () => this.gone(child));
    return child;
  }

  private answer(id: string, answer: StoreAnswer): void {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.settle(answer);
    if (this.waiting.size === 0) this.idle = setTimeout(() => this.rest(), IDLE_MS).unref();
  }

  private rest(): void {
    const { child } = this;
    // The next job gets another one: this one takes nothing any more.
    this.child = undefined;
    child?.disconnect();
  }

  private gone(child: ChildProcess): void {
    if (this.child !== child) return;
    this.child = undefined;
    clearTimeout(this.idle);
    for (const id of this.waiting.keys()) this.answer(id, { result: 'failed', reason: 'late', message: 'it took too long, or too much memory' });
  }
}
