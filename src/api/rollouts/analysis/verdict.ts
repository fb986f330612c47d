import { z } from 'zod';
import { figuresOf, Figures } from './figures.js';
import { evidenceOf } from './observe.js';
import { Signal } from './policy.js';
import { unprovenOf } from './proof.js';
import { describeFault, describeUnproven, percent } from './reasons.js';
import { isMixed } from './source.js';
import type { AnalysisState } from './state.js';

export const VerdictReason = z.object({
  code: z
    .enum(['worse', 'sound', 'disabled', 'no-requests', 'no-reports', 'few-requests', 'warming-up', 'unproven', 'unanswered', 'both-failing', 'one-sided-nodes', 'different', 'few-compared', 'refused'])
    .describe('Of a failure `worse`, or `different` answers to copies, of a pass `sound` or `disabled`, else why nothing can be said yet.'),
  message: z.string(),
  component: z.string().nullable().optional(),
  signal: Signal.optional(),
});
export type VerdictReason = z.infer<typeof VerdictReason>;

export const Verdict = z.object({
  verdict: z.enum(['pass', 'fail', 'insufficient-data']),
  reasons: z.array(VerdictReason).min(1),
  figures: z.array(Figures).describe('Of this step: the whole app, then its components.'),
  suspicion: z.number().describe('Evidence against the new version: 0 none, 1 enough to roll back.'),
  dryRun: z.boolean(),
});
export type Verdict = z.infer<typeof Verdict>;

/** Without a report for so long nothing is known of now, and what was known before promotes nothing. */
export const SILENCE_MS = 15_000;

/** Requests of the new version that may wait for their answer at any time, whatever the old one's do. */
const UNANSWERED_LEAST = 10;
const UNANSWERED_SHARE = 0.1;
/** Both versions fail: so many times as often as before the rollout, and at least so often. */
const TROUBLE_FACTOR = 5;
const TROUBLE_LEAST = 0.05;
const TROUBLE_REQUESTS = 20;

/**
 * What can be said at a moment. It may be asked for as often as one likes: that does not make a false alarm more likely. `fail` stays; `pass` is of this
 * moment and this step, and a fault that shows later is still found.
 */
export function verdict(state: AnalysisState, nowMs: number): Verdict {
  const { policy } = state;
  const figures = figuresOf(state);
  const suspicion = Math.min(1, Math.max(0, evidenceOf(state.units) / Math.log(1 / policy.falseAlarms)));
  const say = (kind: Verdict['verdict'], reasons: VerdictReason[]): Verdict => ({ verdict: kind, reasons, figures, suspicion: state.failed ? 1 : suspicion, dryRun: policy.dryRun });
  if (!policy.enabled) return say('pass', [{ code: 'disabled', message: 'the policy judges nothing' }]);
  if (state.failed) {
    const { component, signal } = state.failed;
    return say('fail', [{ code: 'worse', component, signal, message: describeFault(signal, figures.find((each) => each.component === component)!, policy) }]);
  }
  const doubts = doubtsOf(state, figures[0]!, nowMs);
  if (doubts.length > 0) return say('insufficient-data', doubts);
  const { candidate, baseline } = figures[0]!;
  return say('pass', [{ code: 'sound', message: `version ${candidate.version} is not worse than ${baseline.version}: ${candidate.requests} requests with ${percent(candidate.errorRatio)} errors beside ${baseline.requests} with ${percent(baseline.errorRatio)}` }]);
}

/** Why the new version cannot pass now. */
function doubtsOf(state: AnalysisState, whole: Figures, nowMs: number): VerdictReason[] {
  const { policy, subject } = state;
  const { candidate, baseline } = whole;
  if (state.lastMs === null || nowMs - state.lastMs >= SILENCE_MS) {
    const since = state.lastMs === null ? '' : ` for ${Math.round((nowMs - state.lastMs) / 1_000)} s`;
    return [{ code: 'no-reports', message: `no node has reported${since}` }];
  }
  const doubts: VerdictReason[] = [];
  if (isStuck(whole)) doubts.push({ code: 'unanswered', message: `${candidate.unanswered} of ${candidate.requests + candidate.unanswered} requests to version ${subject.candidate} have no answer yet` });
  const trouble = troubleOf(state);
  if (trouble) doubts.push({ code: 'both-failing', message: trouble });
  if (candidate.requests === 0 || baseline.requests === 0) {
    const reason: VerdictReason = oneSided(state) ?? { code: 'no-requests', message: `version ${candidate.requests === 0 ? subject.candidate : subject.baseline} has had no request to its end in this step` };
    return [...doubts, reason];
  }
  if (candidate.requests < policy.minRequests) doubts.push({ code: 'few-requests', message: `version ${subject.candidate} has had ${candidate.requests} of at least ${policy.minRequests} requests in this step` });
  for (const { signal, progress } of unprovenOf(state.proof, policy.missed)) {
    doubts.push({ code: candidate.latencyMs === null && (signal === 'latency' || signal === 'cpu') ? 'warming-up' : 'unproven', signal, message: describeUnproven(signal, progress, whole) });
  }
  return doubts;
}

/** A version that hangs ends nothing: what it was sent, and has not answered, speaks instead. */
function isStuck({ candidate, baseline }: Figures): boolean {
  const share = ({ unanswered, requests }: { unanswered: number; requests: number }): number => unanswered / Math.max(1, requests + unanswered);
  return candidate.unanswered > UNANSWERED_LEAST && share(candidate) > Math.max(UNANSWERED_SHARE, 2 * share(baseline));
}

/** A new version can harm the old one too, and then nothing is seen beside it: no reason to blame it, and none to go on. */
function troubleOf({ before, recent }: AnalysisState): string | undefined {
  if (recent.requests < TROUBLE_REQUESTS) return undefined;
  const usual = before.requests > 0 ? before.errors / before.requests : 0;
  const now = recent.errors / recent.requests;
  if (now <= Math.max(TROUBLE_LEAST, TROUBLE_FACTOR * usual) || before.requests === 0) return undefined;
  return `both versions together fail ${percent(now)} of requests now, ${percent(usual)} before the rollout`;
}

/** No node has requests to both, while all together have. */
function oneSided({ sources, traffic }: AnalysisState): VerdictReason | undefined {
  const each = Object.values(sources).filter((source) => source.lately.candidate + source.lately.baseline > 0);
  if (traffic.candidate === 0 || traffic.baseline === 0 || each.some((source) => isMixed(source, traffic))) return undefined;
  return { code: 'one-sided-nodes', message: `none of ${each.length} nodes has requests to both versions: what differs may be the nodes` };
}
