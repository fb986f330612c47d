import { describe, expect, it } from '@jest/globals';
import { bucketOf, BUCKETS, toHistogram } from '#contract/samples.js';
import { newRandom } from '../../../../bench/canary/world.mjs';
import { addHistograms, countAbove, halveHistogram, Histogram, middleUs, quantileBucket, totalOf } from './histogram.js';

const seed = Date.now() & 0xffff_ffff;

describe(`histograms (seed ${seed})`, () => {
  const random = newRandom(seed);
  const counts = (): number[] => Array.from({ length: BUCKETS }, () => (random() < 0.1 ? Math.floor(random() * 1_000) : 0));

  it('adds up to what one histogram of everything would be, in any order', () => {
    for (let round = 0; round < 50; round++) {
      const [a, b, c] = [counts(), counts(), counts()];
      const all = toHistogram(a.map((count, i) => count + b[i]! + c[i]!));
      expect(addHistograms(addHistograms(toHistogram(a), toHistogram(b)), toHistogram(c))).toEqual(all);
      expect(addHistograms(toHistogram(c), addHistograms(toHistogram(b), toHistogram(a)))).toEqual(all);
      expect(Histogram.parse(all)).toEqual(all);
    }
  });

  it('tells a duration from 1 µs to 71 min to within 2.2 %', () => {
    for (let round = 0; round < 2_000; round++) {
      const us = 2 ** (random() * 31.9);
      expect(Math.abs(middleUs(bucketOf(us)) / us - 1)).toBeLessThan(0.022);
    }
    expect([bucketOf(0), bucketOf(-1), bucketOf(1e30)]).toEqual([0, 0, BUCKETS - 1]);
  });

  it('counts and finds quantiles as the buckets themselves do', () => {
    for (let round = 0; round < 50; round++) {
      const plain = counts();
      const total = plain.reduce((sum, count) => sum + count, 0);
      const histogram = toHistogram(plain);
      const limit = Math.floor(random() * BUCKETS);
      expect(totalOf(histogram)).toBe(total);
      expect(countAbove(histogram, limit)).toBe(plain.slice(limit + 1).reduce((sum, count) => sum + count, 0));
      const level = random();
      let below = 0;
      expect(quantileBucket(histogram, level)).toBe(plain.findIndex((count) => count > 0 && (below += count) >= level * total));
      expect(totalOf(halveHistogram(histogram))).toBe(plain.reduce((sum, count) => sum + Math.floor(count / 2), 0));
    }
  });

  it('takes a few hundred bytes for a second of one version, however many requests there were', () => {
    const plain = Array.from({ length: BUCKETS }, () => 0);
    for (let i = 0; i < 100_000; i++) plain[bucketOf(20_000 * Math.exp(0.6 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())))]!++;
    expect(JSON.stringify(toHistogram(plain)).length).toBeLessThan(800);
    expect(JSON.stringify(toHistogram(plain.map((count) => Math.round(count / 1_000)))).length).toBeLessThan(300);
  });

  it.each([
    ['a bucket without its count', [3]],
    ['a bucket that holds nothing', [3, 0]],
    ['more buckets than there are', [511, 1, 0, 1]],
    ['a count below 0', [3, -1]],
    ['a part of a request', [3, 0.5]],
  ])('refuses %s', (_, pairs) => {
    expect(Histogram.safeParse(pairs).success).toBe(false);
  });
});
