/** A version whose requests can be counted. */
interface Running {
  /** Requests that run. */
  readonly running: number;
  /** Resolves when none does. */
  settled(): Promise<void>;
}

/** Requests that were under way in a runner when their channel was let go of. They add up over the runner's life. */
export interface LetGoCounts {
  finished: number;
  dropped: number;
  underWay: number;
}

/** Follows requests on versions that are let go of to their end. */
export class LetGoTally {
  private readonly followed = new Set<Running>();
  private begun = 0;
  private dropped = 0;

  /** From now on the version gets no new requests, or only those that count as well. */
  follow(version: Running): void {
    if (version.running === 0 || this.followed.has(version)) return;
    this.begun += version.running;
    this.followed.add(version);
    void version.settled().then(() => this.followed.delete(version));
  }

  /** What still runs is cut off now. */
  cut(): void {
    const cut = this.running();
    this.followed.clear();
    this.begun = Math.max(this.begun, cut + this.dropped);
    this.dropped += cut;
  }

  counts(): LetGoCounts {
    // What came after it was let go of, over connections that were there, is not one of those that were under way then.
    const underWay = Math.min(this.running(), this.begun - this.dropped);
    return { finished: this.begun - this.dropped - underWay, dropped: this.dropped, underWay };
  }

  private running(): number {
    let sum = 0;
    for (const version of this.followed) sum += version.running;
    return sum;
  }
}
