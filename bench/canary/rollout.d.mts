import type { AnalysisPolicy, Signal } from '#api/rollouts/analysis/policy.js';
import type { Progress } from '#api/rollouts/analysis/steps.js';
import type { AnalysisState, Subject } from '#api/rollouts/analysis/state.js';
import type { Verdict } from '#api/rollouts/analysis/verdict.js';
import type { Settings } from './world.mjs';

export function rollout(
  product: object,
  settings: Settings,
  seed: number,
  options: { strategy?: string; policy: AnalysisPolicy; subject?: Partial<Pick<Subject, 'components' | 'sticky'>>; teachS?: number; atMost?: number },
): {
  state: Progress['state']; atS: number; percent: number; signal?: Signal; component?: string | null; candidateBad: number;
  analysis: AnalysisState; verdict: Verdict; progress: Progress;
};
export function quantile(values: number[], level: number): number;
