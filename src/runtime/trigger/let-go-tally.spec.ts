import { describe, expect, it } from '@jest/globals';
import { LetGoTally } from './let-go-tally.js';

class Version {
  private readonly done = Promise.withResolvers<void>();
  constructor(public running: number) {}
  settled(): Promise<void> {
    return this.running === 0 ? Promise.resolve() : this.done.promise;
  }
  end(count: number): void {
    this.running -= count;
    if (this.running === 0) this.done.resolve();
  }
}

describe('the tally of requests that were let go of', () => {
  it('has each as under way until it ends', async () => {
    const tally = new LetGoTally();
    const [a, b, idle] = [new Version(3), new Version(1), new Version(0)];
    for (const version of [a, b, idle]) tally.follow(version);
    expect(tally.counts()).toEqual({ finished: 0, dropped: 0, underWay: 4 });
    a.end(2);
    expect(tally.counts()).toEqual({ finished: 2, dropped: 0, underWay: 2 });
    a.end(1);
    b.end(1);
    await Promise.resolve();
    expect(tally.counts()).toEqual({ finished: 4, dropped: 0, underWay: 0 });
  });

  it('says what was cut off', () => {
    const tally = new LetGoTally();
    const version = new Version(3);
    tally.follow(version);
    version.end(1);
    tally.cut();
    tally.cut();
    expect(tally.counts()).toEqual({ finished: 1, dropped: 2, underWay: 0 });
  });

  it('counts a version once, and what comes later only when it is cut off', () => {
    const tally = new LetGoTally();
    const version = new Version(1);
    tally.follow(version);
    tally.follow(version);
    version.running = 5;
    expect(tally.counts()).toEqual({ finished: 0, dropped: 0, underWay: 1 });
    tally.cut();
    expect(tally.counts()).toEqual({ finished: 0, dropped: 5, underWay: 0 });
  });
});
