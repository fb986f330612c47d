import type { AnalysisPolicy } from '../analysis/policy.js';
import { percent } from '../analysis/reasons.js';
import type { Verdict, VerdictReason } from '../analysis/verdict.js';
import { type ShadowRecord, toShadowView } from './shadow-record.js';

/** Where copies are mostly refused something, that is why there is little to judge. */
const MOSTLY = 0.5;

/**
 * The policy for copies. Their latency is not judged: they begin when their originals are over, wait behind clients, and are refused what would
 * take time.
 */
export function policyForCopies(policy: AnalysisPolicy): AnalysisPolicy {
  const { errors, traps, limits, cpu } = policy;
  const latency = { ...policy.latency, judge: false };
  return { ...policy, latency, enabled: policy.enabled && [errors, traps, limits, cpu].some(({ judge }) => judge) };
}

/** The verdict over copies with what is known of their answers. Pure. */
export function judgeCopies(judged: Verdict, record: ShadowRecord, { enabled, minRequests }: AnalysisPolicy): Verdict {
  if (!enabled || judged.verdict === 'fail') return judged;
  const { compared, different, skipped } = toShadowView(record);
  const { maxDifferent } = record.settings;
  const say = (verdict: Verdict['verdict'], ...reasons: VerdictReason[]): Verdict => ({ ...judged, verdict, reasons: verdict === judged.verdict ? [...judged.reasons, ...reasons] : reasons });
  const isEnough = compared >= Math.max(1, minRequests);
  if (maxDifferent !== undefined && isEnough && different > maxDifferent * compared) {
    return say('fail', { code: 'different', message: `${different} of ${compared} answers differ, which is ${percent(different / compared)} where ${percent(maxDifferent)} may` });
  }
  const doubts: VerdictReason[] = [];
  if (maxDifferent !== undefined && !isEnough) doubts.push({ code: 'few-compared', message: `${compared} of at least ${minRequests} answers are compared` });
  if (judged.verdict !== 'pass' && skipped.refused > MOSTLY * (skipped.refused + compared)) {
    doubts.push({ code: 'refused', message: `${skipped.refused} copies asked for an effect, which a copy is refused: they cannot be judged` });
  }
  return doubts.length > 0 ? say('insufficient-data', ...doubts) : judged;
}
