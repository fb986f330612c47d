/** Waiting times between tries: doubled each time, and scattered, so that many that failed together do not return together. */
export class Backoff {
  private currentMs: number;

  constructor(private readonly minMs: number, private readonly maxMs: number, private readonly random: () => number = Math.random) {
    this.currentMs = minMs;
  }

  /** Between half and the whole of the current time. */
  nextMs(): number {
    const waitMs = this.currentMs * (0.5 + this.random() / 2);
    this.currentMs = Math.min(this.currentMs * 2, this.maxMs);
    return waitMs;
  }

  reset(): void {
    this.currentMs = this.minMs;
  }
}
