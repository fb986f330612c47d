import { setMaxListeners } from 'node:events';

/** Ends what would otherwise go on for long (long polls, event streams, waits) when the process shuts down. */
export class Lifetime {
  private readonly controller = new AbortController();

  constructor() {
    // Every request under way listens.
    setMaxListeners(0, this.controller.signal);
  }

  /** Aborts when the process begins to shut down. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  end(): void {
    this.controller.abort();
  }
}
