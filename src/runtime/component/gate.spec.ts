import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Admission } from './admission.js';
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

  it('lets in what has waited longest, whoever comes later', () => {
    const { gate, seen, arrive } = setUp({ concurrency: 1, maxQueued: 1_000, maxWaitMs: 1_000 });
    for (let i = 0; i < 500; i++) arrive(`${i}`);
    for (let i = 500; i < 1_000; i++) {
      gate.leave();
      arrive(`${i}`);
    }
    for (let i = 0; i < 500; i++) gate.leave();
    expect(seen).toEqual(Array.from({ length: 1_000 }, (_, i) => `${i} in`));
  });

  it('takes a queue of any length that leaves as soon as it is let in', () => {
    const gate = new Gate({ concurrency: 1, maxQueued: 100_000, maxWaitMs: 60_000 }, new Deadlines());
    let entered = 0;
    const enter = () => {
      entered++;
      if (entered > 1) gate.leave();
    };
    for (let i = 0; i < 50_000; i++) gate.arrive({ enter, turnAway: () => undefined });
    gate.leave();
    expect([entered, gate.queued]).toEqual([50_000, 0]);
  });
});

describe(Admission.name, () => {
  const setUpTwo = (maxInside: number) => {
    const admission = new Admission(maxInside);
    const seen: string[] = [];
    const gates = ['a', 'b'].map((name) => ({ name, gate: new Gate({ concurrency: 10, maxQueued: 10, maxWaitMs: 1_000 }, new Deadlines(), admission) }));
    const arrive = (of: number, text: string, chained = false) => {
      const { name, gate } = gates[of]!;
      return gate.arrive({ enter: () => seen.push(`${name}${text}`), turnAway: () => seen.push(`${name}${text} away`) }, chained);
    };
    return { seen, arrive, leave: (of: number) => gates[of]!.gate.leave() };
  };

  it('holds all gates together to what there is room for, and lets them take turns', () => {
    const { seen, arrive, leave } = setUpTwo(2);
    for (const text of ['1', '2', '3', '4']) arrive(0, text);
    for (const text of ['1', '2']) arrive(1, text);
    expect(seen).toEqual(['a1', 'a2']);
    leave(0);
    leave(0);
    expect(seen).toEqual(['a1', 'a2', 'a3', 'b1']);
    leave(1);
    leave(0);
    expect(seen).toEqual(['a1', 'a2', 'a3', 'b1', 'a4', 'b2']);
  });

  it('lets a call of a component by one that is inside pass those who wait for room', () => {
    const { seen, arrive } = setUpTwo(1);
    arrive(0, '1');
    arrive(1, '1');
    arrive(1, ' called', true);
    expect(seen).toEqual(['a1', 'b called']);
  });

  it('gives a place that nobody of a gate waits for any more to the other one', () => {
    const { seen, arrive, leave } = setUpTwo(1);
    arrive(0, '1');
    const leaveQueue = arrive(0, '2')!;
    arrive(1, '1');
    leaveQueue();
    leave(0);
    expect(seen).toEqual(['a1', 'b1']);
  });
});
