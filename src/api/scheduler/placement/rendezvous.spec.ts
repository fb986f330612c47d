import { describe, expect, it } from '@jest/globals';
import { distanceOf, seedOf } from './rendezvous.js';

const NODES = 100;
const CHANNELS = 20_000;
const channels = Array.from({ length: CHANNELS }, (_, i) => seedOf(`channel-${i}`));

const nearest = (channel: number, nodes: readonly { seed: number; weight: number }[]): number =>
  nodes.reduce((best, node, i) => (distanceOf(channel, node.seed, node.weight) < distanceOf(channel, nodes[best]!.seed, nodes[best]!.weight) ? i : best), 0);

describe(distanceOf.name, () => {
  it('gives each node a share like its weight, also when names differ in the last letter only', () => {
    const nodes = Array.from({ length: NODES }, (_, i) => ({ seed: seedOf(`node-${i}`), weight: 1 + (i % 2) }));
    const counts = nodes.map(() => 0);
    for (const channel of channels) counts[nearest(channel, nodes)]!++;
    const heavy = counts.filter((_, i) => i % 2 === 1).reduce((a, b) => a + b, 0);
    expect(heavy / CHANNELS).toBeGreaterThan(0.64);
    expect(heavy / CHANNELS).toBeLessThan(0.69);
    const each = CHANNELS / 150;
    for (const [i, count] of counts.entries()) {
      // Five standard deviations.
      const expected = each * nodes[i]!.weight;
      expect(Math.abs(count - expected)).toBeLessThan(5 * Math.sqrt(expected));
    }
  });

  it('changes only what a node had when the node goes', () => {
    const nodes = Array.from({ length: 20 }, (_, i) => ({ seed: seedOf(`node-${i}`), weight: 1 }));
    for (const channel of channels.slice(0, 2_000)) {
      const before = nearest(channel, nodes);
      if (before !== 19) expect(nearest(channel, nodes.slice(0, 19))).toBe(before);
    }
  });

  it('may answer any number above the bound, and none below it that is not so', () => {
    for (const channel of channels.slice(0, 2_000)) {
      const exact = distanceOf(channel, 7, 3);
      const bounded = distanceOf(channel, 7, 3, 0.05);
      if (exact <= 0.05) expect(bounded).toBe(exact);
      else expect(bounded).toBeGreaterThan(0.05);
    }
  });
});
