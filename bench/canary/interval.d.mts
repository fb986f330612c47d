import type { Interval, Sample } from '#api/rollouts/analysis/interval.js';

type Did = Partial<Omit<Sample, 'version'>> & { requests: number };
export function intervalOf(seq: number, arms: { candidate?: Did; baseline?: Did; source?: string; atMs?: number }): Interval;
