import type { NodeReportInput } from '#contract/assignment.js';
import { HEARTBEAT_MS } from '#contract/node-routes.js';
import type { Log } from '#platform/log.js';

const TIMEOUT_MS = 5_000;

/**
 * Says what the node holds: at once after each change, and as a heartbeat. One report is under way at a time; changes meanwhile go
 * into the next.
 */
export class Reporter {
  private changed = Promise.withResolvers<void>();
  private failing = false;

  constructor(
    private readonly report: () => NodeReportInput,
    private readonly send: (report: NodeReportInput, signal: AbortSignal) => Promise<void>,
    private readonly log: Log,
  ) {}

  /** Something in the report has changed. */
  change(): void {
    this.changed.resolve();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.changed = Promise.withResolvers();
      try {
        await this.send(this.report(), AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
        this.failing = false;
      } catch (error) {
        if (!this.failing && !signal.aborted) this.log.warn('the control plane does not take the report', { reason: (error as Error).message });
        this.failing = true;
        // A change must not turn into a storm of tries.
        this.changed = Promise.withResolvers();
      }
      await this.nextTurn(signal);
    }
  }

  private async nextTurn(signal: AbortSignal): Promise<void> {
    const beat = Promise.withResolvers<void>();
    const timer = setTimeout(beat.resolve, HEARTBEAT_MS);
    signal.addEventListener('abort', () => beat.resolve(), { once: true });
    await Promise.race([this.changed.promise, beat.promise]);
    clearTimeout(timer);
  }
}
