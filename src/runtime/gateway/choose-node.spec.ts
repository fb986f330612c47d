import { describe, expect, it } from '@jest/globals';
import type { NodeName } from '#contract/ids.js';
import { type Candidate, chooseNode } from './choose-node.js';
import { NodeScores } from './node-scores.js';

const node = (name: string, more: Partial<Candidate> = {}): Candidate => ({ node: name as NodeName, generation: 1, isLeaving: false, isLost: false, isOut: false, load: 0, ...more });
/** How often each is chosen, over all pairs that may be drawn. */
function chosen(candidates: Candidate[], floor = 1): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < candidates.length; i++) {
    for (let j = 0; j < candidates.length - 1; j++) {
      const draws = [i / candidates.length, j / (candidates.length - 1)];
      const name = chooseNode(candidates, floor, () => draws.shift()! + 1e-9)!.node;
      counts[name] = (counts[name] ?? 0) + 1;
    }
  }
  return counts;
}

describe(chooseNode.name, () => {
  it('draws every pair, and takes the less loaded one of it', () => {
    expect(chosen([node('a', { load: 5 }), node('b', { load: 1 }), node('c', { load: 9 })])).toEqual({ b: 4, a: 2 });
  });

  it('spreads over nodes that are alike', () => {
    expect(chosen([node('a'), node('b'), node('c')])).toEqual({ a: 2, b: 2, c: 2 });
  });

  it('asks a node that leaves the channel when no other is there, and one that may not answer last of all', () => {
    const [stays, leaves, lost, out] = [node('stays', { load: 99 }), node('leaves', { isLeaving: true }), node('lost', { isLost: true }), node('out', { isOut: true, isLeaving: true })];
    expect(chooseNode([stays, leaves, lost, out], 1, Math.random)!.node).toBe('stays');
    expect(chooseNode([leaves, lost, out], 1, Math.random)!.node).toBe('leaves');
    expect(chooseNode([lost, out], 1, Math.random)!.node).toBe('lost');
    expect(chooseNode([out], 1, Math.random)!.node).toBe('out');
    expect(chooseNode([], 1, Math.random)).toBeUndefined();
  });

  it('takes one that has switched before one that has to, unless that one is much busier', () => {
    expect(chosen([node('new', { generation: 2, load: 4 }), node('old')], 2)).toEqual({ new: 2 });
    expect(chosen([node('new', { generation: 2, load: 40 }), node('old')], 2)).toEqual({ old: 2 });
  });
});

describe(NodeScores.name, () => {
  const [a, b] = ['a', 'b'] as NodeName[] as [NodeName, NodeName];

  it('adds what a node says, for as long as that is fresh, to what it was sent', () => {
    let now = 0;
    const scores = new NodeScores(() => now);
    const ended = scores.begin(a);
    scores.begin(a);
    scores.told(a, 7);
    expect([scores.loadOf(a), scores.loadOf(b)]).toEqual([9, 0]);
    ended();
    ended();
    now = 2_000;
    expect(scores.loadOf(a)).toBe(1);
  });

  it('leaves a node that cannot be reached alone for longer each time, until it answers', () => {
    let now = 0;
    const scores = new NodeScores(() => now);
    const outFor = (): number => {
      scores.failed(a);
      const from = now;
      while (scores.isOut(a)) now += 50;
      return now - from;
    };
    expect([outFor(), outFor(), outFor()]).toEqual([250, 500, 1_000]);
    for (let i = 0; i < 10; i++) scores.failed(a);
    expect(outFor()).toBe(5_000);
    scores.told(a, 0);
    expect(outFor()).toBe(250);
  });
});
