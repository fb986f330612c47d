import type { ArmFigures, Figures } from './figures.js';
import type { AnalysisPolicy, Duration, Rate, Signal } from './policy.js';

/** Verdicts in words. */

const NAMES: Record<Signal, string> = { errors: 'errors', traps: 'traps', limits: 'requests stopped by a limit', latency: 'latency', cpu: 'CPU time' };

/** Why a version failed: what it did, what the other did at the same time, and what would have been tolerated. */
export function describeFault(signal: Signal, figures: Figures, policy: AnalysisPolicy): string {
  const where = figures.component === null ? '' : ` of component ${figures.component}`;
  if (isDuration(signal)) {
    const { tolerated, toleratedSlackMs } = policy[signal];
    return `${NAMES[signal]}${where}: ${describeDuration(figures.candidate, signal)}, at the same time ${describeDuration(figures.baseline, signal)}; tolerated: ${tolerated} times as much, or ${toleratedSlackMs} ms more`;
  }
  const { tolerated, toleratedSlack } = policy[signal];
  const usual = ratio(figures.baseline, signal);
  const bound = usual === null ? '' : `; tolerated: ${percent(tolerated * (usual + toleratedSlack))}`;
  return `${NAMES[signal]}${where}: ${describeRate(figures.candidate, signal)}, at the same time ${describeRate(figures.baseline, signal)}${bound}`;
}

/** What is not shown yet, and how far it is. */
export function describeUnproven(signal: Signal, progress: number, { candidate, baseline }: Figures): string {
  const what = isDuration(signal) ? `${describeDuration(candidate, signal)}, ${describeDuration(baseline, signal)}` : `${describeRate(candidate, signal)}, ${describeRate(baseline, signal)}`;
  return `${NAMES[signal]}: not enough requests yet to say that it is not worse (${Math.floor(100 * progress)} % of the evidence): ${what}`;
}

export function percent(value: number | null): string {
  if (value === null) return 'no';
  const hundredths = 100 * value;
  return `${hundredths === 0 || hundredths >= 10 ? Math.round(hundredths) : Number(hundredths.toPrecision(2))} %`;
}

function describeRate(arm: ArmFigures, signal: Rate): string {
  return `version ${arm.version} ${percent(ratio(arm, signal))} (${arm[signal]} of ${arm.requests} requests)`;
}

function describeDuration(arm: ArmFigures, signal: Duration): string {
  const quantiles = signal === 'latency' ? arm.latencyMs : arm.cpuMs;
  if (!quantiles) return `version ${arm.version} has none after the warm-up`;
  return `version ${arm.version} p50 ${quantiles.p50}, p95 ${quantiles.p95}, p99 ${quantiles.p99} ms (${quantiles.requests} requests)`;
}

function ratio(arm: ArmFigures, signal: Rate): number | null {
  return arm.requests > 0 ? arm[signal] / arm.requests : null;
}

function isDuration(signal: Signal): signal is Duration {
  return signal === 'latency' || signal === 'cpu';
}
