/** Lets some of a sequence of actions run at the same time. */
export class InFlight {
  private readonly running = new Set<Promise<void>>();
  private failure: { error: unknown } | undefined;

  /** Returns when fewer than `most` are running. Throws what one of them threw. */
  async start(most: number, action: () => Promise<void>): Promise<void> {
    const running: Promise<void> = action()
      .catch((error: unknown) => { this.failure ??= { error }; })
      .finally(() => this.running.delete(running));
    this.running.add(running);
    while (this.running.size >= most && !this.failure) await Promise.race(this.running);
    if (this.failure) throw this.failure.error;
  }

  /** Returns when all have ended. Throws what one of them threw. */
  async end(): Promise<void> {
    await Promise.all(this.running);
    if (this.failure) throw this.failure.error;
  }
}
