import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { CpuClock } from '#engine/run/meter.js';

/** `process` is looked up anew at each use. */
const { hrtime } = process;

/** Where procfs is missing, the ticker counts wall time, and so must `now`. */
const HAS_SCHEDSTAT = existsSync(`/proc/${process.pid}/task/${process.pid}/schedstat`);

/**
 * The system is asked so often at most: it takes microseconds to answer, as long as a small guest. In between the thread is taken to
 * run all the time, which is put right at the next reading.
 */
const READ_EVERY_NS = 1_000_000n;

/**
 * The clock that guests of this thread are held against: `memory` is a shared page whose first word is the CPU time of the main thread
 * in ns, kept by a ticker thread. Without the ticker no guest would ever be stopped, so its end must end the process: see `onStopped`.
 */
export class ThreadCpuClock implements CpuClock {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  private readonly words = new Int32Array(new SharedArrayBuffer(16));
  private readonly ticker: Worker;
  /** The last exact reading, and when it was made; both in ns. */
  private readNs = 0n;
  private readAtNs = 0n;
  private lastNs = 0n;

  /** @param onStopped called when the ticker ended, except after `close` */
  constructor(private onStopped: (error?: Error) => void) {
    const file = import.meta.url.endsWith('.ts') ? './ticker.worker.ts' : './ticker.worker.js';
    this.ticker = new Worker(new URL(file, import.meta.url), {
      workerData: { page: this.memory.buffer, words: this.words.buffer, pid: process.pid },
      stdin: false,
    });
    this.ticker.unref();
    this.ticker.on('error', (error) => this.onStopped(error as Error));
    this.ticker.on('exit', () => this.onStopped());
  }

  /**
   * CPU time of this thread, at most READ_EVERY_NS ahead, and never going back. Called by the engine whenever a guest is entered: that
   * also wakes the ticker.
   */
  now(): bigint {
    if (Atomics.load(this.words, 1) === 1 && Atomics.exchange(this.words, 0, 1) === 0) Atomics.notify(this.words, 0);
    const wallNs = hrtime.bigint();
    if (!HAS_SCHEDSTAT) return wallNs;
    if (wallNs - this.readAtNs >= READ_EVERY_NS) {
      const { user, system } = process.threadCpuUsage();
      this.readNs = BigInt(user + system) * 1_000n;
      this.readAtNs = wallNs;
    }
    const ns = this.readNs + wallNs - this.readAtNs;
    if (ns > this.lastNs) this.lastNs = ns;
    return this.lastNs;
  }

  /** Grows with every turn of the ticker: a value that stands still while guests run means that nothing stops them. */
  get turns(): number {
    return Atomics.load(this.words, 2);
  }

  async close(): Promise<void> {
    this.onStopped = () => undefined;
    await this.ticker.terminate();
  }
}
