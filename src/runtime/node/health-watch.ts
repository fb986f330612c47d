import { statfs } from 'node:fs/promises';
import type { NodeReceipt } from '#contract/node-facts.js';
import type { Log } from '#platform/log.js';
import { RECENTLY_MS, sicknessOf, STALL_MS } from './node-health.js';

const LOOK_EVERY_MS = 1_000;
/** The disk is asked less often: it fills in minutes, and a network's may be slow to answer. */
const LOOKS_FOR_DISK = 5;
/** An answer that took longer says nothing of the other clock. */
const MAX_ROUND_TRIP_MS = 2_000;

export interface HealthOptions {
  /** The node's folder. */
  dir: string;
  runners: number;
  log: Log;
  /** The sickness is another than before. */
  onChange(): void;
}

/** Watches whether this node can serve. */
export class HealthWatch {
  sickness: string | null = null;
  private deathsMs: number[] = [];
  private stalls: { atMs: number; stalledMs: number }[] = [];
  private freeDiskBytes: number | null = null;
  private clockOffsetMs: number | null = null;
  private looks = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: HealthOptions) {}

  start(): void {
    let lastMs = performance.now();
    this.timer = setInterval(() => {
      const nowMs = performance.now();
      const stalledMs = nowMs - lastMs - LOOK_EVERY_MS;
      lastMs = nowMs;
      if (stalledMs >= STALL_MS) this.stalls.push({ atMs: nowMs, stalledMs });
      void this.look();
    }, LOOK_EVERY_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** A runner ended that was not to end. */
  died(): void {
    this.deathsMs.push(performance.now());
  }

  /** The control plane said what time it is. @param sentAtMs when it was asked, of this machine's clock */
  heard({ nowMs }: Pick<NodeReceipt, 'nowMs'>, sentAtMs: number, cameAtMs = Date.now()): void {
    if (cameAtMs - sentAtMs <= MAX_ROUND_TRIP_MS) this.clockOffsetMs = nowMs - (sentAtMs + cameAtMs) / 2;
  }

  private async look(): Promise<void> {
    if (this.looks++ % LOOKS_FOR_DISK === 0) this.freeDiskBytes = await freeBytes(this.options.dir);
    const nowMs = performance.now();
    this.deathsMs = this.deathsMs.filter((atMs) => nowMs - atMs < RECENTLY_MS);
    this.stalls = this.stalls.filter(({ atMs }) => nowMs - atMs < RECENTLY_MS);
    const { deathsMs: runnerDeathsMs, stalls, freeDiskBytes, clockOffsetMs } = this;
    const sickness = sicknessOf({ nowMs, runnerDeathsMs, stalls, freeDiskBytes, clockOffsetMs, runners: this.options.runners }, this.sickness);
    if (sickness === this.sickness) return;
    this.sickness = sickness;
    if (sickness === null) this.options.log.info('the node is well again');
    else this.options.log.error('the node is sick', { sickness });
    this.options.onChange();
  }
}

/** null: it cannot be told. */
async function freeBytes(dir: string): Promise<number | null> {
  return statfs(dir).then(({ bavail, bsize }) => bavail * bsize, () => null);
}
