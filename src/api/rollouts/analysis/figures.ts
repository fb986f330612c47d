import { z } from 'zod';
import { type Histogram, middleUs, quantileBucket, totalOf } from './histogram.js';
import type { AnalysisState, Arm } from './state.js';
import { VersionNumber } from '#contract/ids.js';

/** What people are shown of the comparison. */

const Quantiles = z.object({ requests: z.int().describe('Those that were there to be measured, after the warm-up.'), p50: z.number(), p95: z.number(), p99: z.number() });
type Quantiles = z.infer<typeof Quantiles>;

export const ArmFigures = z.object({
  version: VersionNumber,
  requests: z.int(),
  unanswered: z.int().describe('Sent to it and not ended yet.'),
  errors: z.int(),
  traps: z.int(),
  limits: z.int().describe('Requests that a limit stopped.'),
  overdue: z.int(),
  errorRatio: z.number().nullable().describe('null: no requests.'),
  latencyMs: Quantiles.nullable(),
  cpuMs: Quantiles.nullable(),
});
export type ArmFigures = z.infer<typeof ArmFigures>;

export const Figures = z.object({
  component: z.string().nullable().describe('null: the whole app.'),
  candidate: ArmFigures,
  baseline: ArmFigures,
});
export type Figures = z.infer<typeof Figures>;

/** Both versions in this step, at the same time and on the same nodes: the whole app first, then its components. */
export function figuresOf({ units, subject }: AnalysisState): Figures[] {
  return units.map(({ component, shown }) => ({
    component,
    candidate: toFigures(subject.candidate, shown.candidate),
    baseline: toFigures(subject.baseline, shown.baseline),
  }));
}

function toFigures(version: VersionNumber, { started, requests, errors, traps, limits, overdue, latency, cpu }: Arm): ArmFigures {
  return {
    version, requests, unanswered: Math.max(0, started - requests), errors, traps, limits, overdue,
    errorRatio: requests > 0 ? errors / requests : null,
    latencyMs: quantilesOf(latency),
    cpuMs: quantilesOf(cpu),
  };
}

function quantilesOf(histogram: Histogram): Quantiles | null {
  const requests = totalOf(histogram);
  if (requests === 0) return null;
  const at = (level: number): number => Number((middleUs(quantileBucket(histogram, level)) / 1_000).toPrecision(3));
  return { requests, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
