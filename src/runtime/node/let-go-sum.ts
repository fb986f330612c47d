import type { LetGo } from '#contract/node-facts.js';
import type { LetGoCounts } from '#runtime/trigger/let-go-tally.js';

/** What this node has let go of since its start, all runners together. */
export class LetGoSum {
  private readonly runners = new Map<string, LetGoCounts>();
  private readonly ended: LetGoCounts = { finished: 0, dropped: 0, underWay: 0 };
  private channels = 0;

  /** So many channels are let go of. */
  addChannels(count: number): void {
    this.channels += count;
  }

  /** As a runner has it, since its start. Answers whether it says something new. */
  take(writer: string, counts: LetGoCounts): boolean {
    const before = this.runners.get(writer) ?? { finished: 0, dropped: 0, underWay: 0 };
    this.runners.set(writer, counts);
    return (['finished', 'dropped', 'underWay'] as const).some((name) => before[name] !== counts[name]);
  }

  /** A runner has ended: what it had under way by then has no answer. */
  lost(writer: string): void {
    const counts = this.runners.get(writer);
    this.runners.delete(writer);
    if (!counts) return;
    this.ended.finished += counts.finished;
    this.ended.dropped += counts.dropped + counts.underWay;
  }

  sum(): LetGo {
    const sum: LetGo = { channels: this.channels, ...this.ended };
    for (const { finished, dropped, underWay } of this.runners.values()) {
      sum.finished += finished;
      sum.dropped += dropped;
      sum.underWay += underWay;
    }
    return sum;
  }
}
