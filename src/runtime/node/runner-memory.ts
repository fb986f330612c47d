import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ProcessMemory } from '#runtime/trigger/loaded-versions.js';

/** V8 waits for its heap to grow before it looks for garbage; what guests leave behind is outside of that heap. */
const COLLECT_AFTER_MS = 500;
/** A runner that loads and lets go all the time does not stop for it all the time. */
const COLLECT_EVERY_MS = 10_000;

type Collect = (options: { type: 'major'; execution: 'async' }) => Promise<void>;

/** The memory of this process. */
export class RunnerMemory implements ProcessMemory {
  private readonly gc: Collect;
  private timer: NodeJS.Timeout | null = null;
  private collectedMs = -Infinity;

  constructor() {
    setFlagsFromString('--expose-gc');
    this.gc = runInNewContext('gc') as Collect;
    // Only the function is wanted, not a global of contexts to come.
    setFlagsFromString('--no-expose-gc');
  }

  rssBytes(): number {
    return process.memoryUsage.rss();
  }

  /** Soon, and once for all that is let go of until then: it stops the thread for 15 ms and more. */
  collect(): void {
    const waitMs = Math.max(COLLECT_AFTER_MS, this.collectedMs + COLLECT_EVERY_MS - performance.now());
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.collectedMs = performance.now();
      void this.gc({ type: 'major', execution: 'async' });
    }, waitMs).unref();
  }
}
