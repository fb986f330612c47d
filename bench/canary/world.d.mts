import type { Interval } from '#api/rollouts/analysis/interval.js';

export interface Settings {
  rate?: number;
  nodes?: number;
  shape?: 'log-normal' | 'heavy tail' | 'two humps' | 'quick';
  errors?: number;
  traps?: number;
  limits?: number;
  fault?: { errors?: number; traps?: number; limits?: number; latency?: number; cpu?: number; tail?: { share: number; factor: number }; hang?: number };
  onsetS?: number;
  components?: Record<string, number>;
  faulty?: string;
  bursts?: boolean;
  outages?: boolean;
  driftS?: number;
  clients?: number;
  alike?: boolean;
  sticky?: boolean;
  lump?: number;
  slowNodes?: Record<number, number>;
  candidateNodes?: number[];
  cold?: number;
  coldS?: number;
}

export const CANDIDATE: 2;
export const BASELINE: 1;
export function newRandom(seed: number): () => number;
export function poisson(random: () => number, mean: number): number;
export class World {
  constructor(settings: Settings, seed: number, toHistogram: (counts: ArrayLike<number>) => number[]);
  t: number;
  outage: boolean;
  second(percent: number, atMs?: number): Interval[];
}
