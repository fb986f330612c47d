/** One look at a time for all who ask. Who asks while one is under way gets the next: it sees everything up to the asking. */
export class SharedLook<T> {
  private running: Promise<T> | null = null;
  private queued: Promise<T> | null = null;

  constructor(private readonly look: () => Promise<T>) {}

  /** Rejects as the look does. */
  get(): Promise<T> {
    if (!this.running) return this.begin();
    this.queued ??= this.running.then(noop, noop).then(() => {
      this.queued = null;
      return this.begin();
    });
    return this.queued;
  }

  private begin(): Promise<T> {
    const running = this.look().finally(() => {
      if (this.running === running) this.running = null;
    });
    this.running = running;
    return running;
  }
}

const noop = (): void => {};
