/** How much of a thread something may take: so many ms of each, saved up for a while. Time is given in ms of one clock. */
export class CpuShare {
  private leftMs: number;
  private atMs: number | null = null;

  /** @param share of the thread's time; @param savedMs the most that is saved up */
  constructor(private readonly share: number, private readonly savedMs: number) {
    this.leftMs = savedMs;
  }

  /** 0: there is some left; else in how many ms there will be. */
  waitMs(nowMs: number): number {
    this.leftMs = Math.min(this.savedMs, this.leftMs + (this.atMs === null ? 0 : nowMs - this.atMs) * this.share);
    this.atMs = nowMs;
    return this.leftMs > 0 ? 0 : Math.ceil(-this.leftMs / this.share) + 1;
  }

  spend(cpuMs: number): void {
    this.leftMs -= cpuMs;
  }
}
