import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadlines } from './deadlines.js';
import { Gate } from './gate.js';

function setUp(options: { concurrency: number; maxQueued: number; maxWaitMs: number }) {
  const gate = new Gate(options, new Deadlines());
  const seen: string[] = [];
  const arrive = (name: string) => gate.arrive({ enter: () => seen.push(`${name} in`), turnAway: () => seen.push(`${name} away`) });
  return { gate, seen, arrive };
}

describe(Gate.name, () => {
  it('lets so many in and the others in order', () => {
    const { gate, seen, arrive } = setUp({ concurrency: 2, maxQueued: 10, maxWaitMs: 1_000 });
    for (const name of ['a', 'b', 'c', 'd']) arrive(name);
    expect(seen).toEqual(['a in', 'b in']);
    gate.leave();
    gate.leave();
    expect(seen).toEqual(['a in', 'b in', 'c in', 'd in']);
    gate.leave();
    gate.leave();
    arrive('e');
    expect(seen.at(-1)).toBe('e in');
  });

  it('turns away at once when the queue is full', () => {
    const { seen, arrive } = setUp({ concurrency: 1, maxQueued: 1, maxWaitMs: 1_000 });
    for (const name of ['a', 'b', 'c']) arrive(name);
    expect(seen).toEqual(['a in', 'c away']);
  });

  it('turns away who waited too long, and nobody twice', async () => {
    const { gate, seen, arrive } = setUp({ concurrency: 1, maxQueued: 5, maxWaitMs: 30 });
    arrive('a');
    arrive('b');
    await sleep(120);
    gate.leave();
    expect(seen).toEqual(['a in', 'b away']);
    arrive('c');
    expect(seen.at(-1)).toBe('c in');
  });

  it('forgets who leaves the queue', () => {
    const { gate, seen, arrive } = setUp({ concurrency: 1, maxQueued: 5, maxWaitMs: 1_000 });
    arrive('a');
    const leaveQueue = arrive('b')!;
    arrive('c');
    leaveQueue();
    gate.leave();
    expect(seen).toEqual(['a in', 'c in']);
    gate.leave();
  });
});
