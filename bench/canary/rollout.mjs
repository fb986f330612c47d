// Whole rollouts in a simulated world: reports in, verdicts out, steps as the product decides.
import { BASELINE, CANDIDATE, World } from './world.mjs';

/**
 * One rollout, to its end or until it has waited for somebody.
 * @param product the product's own functions: toHistogram, begin, enterStep, observe, verdict, beginSteps, next, parseStrategy
 * @param options strategy; policy; subject; teachS: seconds of the old version alone that are seen before; atMost: seconds
 * @returns state ('promoted', 'rolled_back', 'paused', 'progressing'), atS: seconds from the first step to the end, signal: what was blamed,
 *   candidateBad: answers of the new version that failed, candidateRequests, percent: of the last step, analysis: the state of the judgement
 */
export function rollout(product, settings, seed, options) {
  const { strategy = 'steps:10@30s,50@30s', policy, subject = {}, teachS = 30, atMost = 1_200 } = options;
  const world = new World(settings, seed, product.toHistogram);
  let analysis = product.begin(policy, { candidate: CANDIDATE, baseline: BASELINE, ...subject });
  const second = (percent) => {
    for (const interval of world.second(percent)) analysis = product.observe(analysis, interval);
  };
  for (let i = 0; i < teachS; i++) second(0);
  const fromS = world.t;
  let percent = 0;
  let { progress, decision } = product.beginSteps(product.parseStrategy(strategy), world.t * 1_000);
  while (world.t - fromS < atMost) {
    if (decision.kind === 'go-on') {
      percent = decision.percent;
      analysis = product.enterStep(analysis, world.t * 1_000);
    }
    if (decision.kind === 'go-on' || decision.kind === 'promote') {
      ({ progress, decision } = product.next(progress, { kind: 'served', index: decision.index, atMs: world.t * 1_000 }, policy));
    }
    if (decision.kind === 'finish' || decision.kind === 'roll-back' || decision.kind === 'pause') break;
    second(percent);
    const atMs = world.t * 1_000;
    ({ progress, decision } = product.next(progress, { kind: 'look', atMs, verdict: product.verdict(analysis, atMs) }, policy));
  }
  return {
    state: progress.state, atS: world.t - fromS, percent, signal: analysis.failed?.signal, component: analysis.failed?.component,
    candidateBad: world.badAnswers, analysis, verdict: product.verdict(analysis, world.t * 1_000), progress,
  };
}

/** The value below which the share `level` of all is. */
export function quantile(values, level) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * level))];
}
