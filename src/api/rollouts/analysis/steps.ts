import type { AnalysisPolicy } from './policy.js';
import type { Pause, Strategy } from './strategy.js';
import type { Verdict } from './verdict.js';

/**
 * The way of a version through the steps of its strategy:
 *
 * ```
 *              time is up, and pass                  every node serves it
 *  step 0 ──▶ step 1 ──▶ … ──▶ all requests (promote) ────────────▶ promoted
 *    │  ▲
 *    │  └── pass, or an approval that names the step
 *    ▼  │
 *  paused (the step is @manual, or cannot be judged)
 *
 *  from anywhere: fail, a node that cannot, or nobody who decides ──▶ rolled_back;  somebody ends it ──▶ aborted
 * ```
 *
 * Plain JSON. An event that is late, doubled or of another step changes nothing, so that events may be lost and sent again.
 */
export interface Progress {
  state: 'progressing' | 'paused' | 'promoted' | 'rolled_back' | 'aborted';
  strategy: Strategy;
  /** The step that is served, or is going to be; the number of steps: all requests. */
  index: number;
  /** When the step was asked for. */
  askedMs: number;
  /** Since when every node serves it: its time counts from then. */
  servedMs: number | null;
  pausedMs: number | null;
  /** Who has approved of the step. */
  approvedBy: string | null;
  /** Whether probes were sent in the step. */
  probed: boolean;
  lastMs: number;
  /** Why it paused or ended. */
  reason: string | null;
}

export type StepEvent =
  | { kind: 'look'; atMs: number; verdict: Pick<Verdict, 'verdict' | 'reasons'> }
  | { kind: 'served'; atMs: number; index: number }
  | { kind: 'approve'; atMs: number; index: number; by: string }
  | { kind: 'abort'; atMs: number; by: string; reason?: string }
  /** The nodes cannot serve what was asked for. */
  | { kind: 'failed'; atMs: number; reason: string };

export type Decision =
  | { kind: 'hold'; untilMs: number | null; reason: string }
  /** Serve the step's share; `shadow`: copy it. */
  | { kind: 'go-on'; index: number; percent: number; shadow: boolean }
  | { kind: 'pause'; reason: string }
  | { kind: 'probe' }
  | { kind: 'promote'; index: number }
  | { kind: 'finish' }
  | { kind: 'roll-back'; reason: string }
  /** Of a call: what it asks for cannot be done now. */
  | { kind: 'refuse'; reason: string };

/** What steps ask of the policy. */
export type StepPolicy = Pick<AnalysisPolicy, 'enabled' | 'dryRun' | 'onInsufficientData' | 'holdMs' | 'giveUpMs'>;

interface Outcome {
  progress: Progress;
  decision: Decision;
}

/** The steps of a strategy; in one of copies nobody gets the version's own answers. */
export function stepsOf(strategy: Strategy): { percent: number; pause: Pause; shadow: boolean }[] {
  if (strategy.kind === 'now') return [];
  const shares = strategy.steps.map((step) => ({ ...step, shadow: false }));
  return strategy.kind === 'steps' ? shares : [{ percent: strategy.percent, pause: strategy.pause, shadow: true }, ...shares];
}

/** Every node has the version prepared: the first step, or all requests where there is none. */
export function beginSteps(strategy: Strategy, atMs: number): Outcome {
  const progress: Progress = { state: 'progressing', strategy, index: -1, askedMs: atMs, servedMs: null, pausedMs: null, approvedBy: null, probed: false, lastMs: atMs, reason: null };
  return goOn(progress, atMs);
}

/** What is to be done about an event. Pure: whoever stores the progress with what came of the decision goes on after any restart. */
export function next(before: Progress, event: StepEvent, policy: StepPolicy): Outcome {
  const progress = { ...before, lastMs: Math.max(before.lastMs, event.atMs) };
  if (isEnded(before)) return { progress: before, decision: event.kind === 'approve' || event.kind === 'abort' ? refuse(`the rollout is over: ${before.state}`) : hold(null, `the rollout is ${before.state}`) };
  switch (event.kind) {
    case 'served':
      return served(progress, event);
    case 'approve':
      return approve(progress, event);
    case 'abort':
      return end(progress, 'aborted', `${event.by} ended it${event.reason === undefined ? '' : `: ${event.reason}`}`);
    case 'failed':
      return end(progress, 'rolled_back', event.reason);
    case 'look':
      // A look that was taken before the last event may know less.
      return event.atMs < before.lastMs ? { progress, decision: hold(null, 'later news is known') } : look(progress, event, policy);
  }
}

/** Whether the version gets copies of requests now, or is going to. */
export function isCopying(progress: Progress | null): boolean {
  return progress !== null && stepsOf(progress.strategy)[progress.index]?.shadow === true;
}

export function isEnded({ state }: Progress): boolean {
  return state !== 'progressing' && state !== 'paused';
}

function served(progress: Progress, { index, atMs }: { index: number; atMs: number }): Outcome {
  if (index !== progress.index || progress.servedMs !== null) return { progress, decision: hold(null, `step ${index} is not waited for`) };
  const now = { ...progress, servedMs: atMs };
  if (index === stepsOf(progress.strategy).length) return { progress: { ...now, state: 'promoted' }, decision: { kind: 'finish' } };
  return { progress: now, decision: hold(null, `step ${index} is served`) };
}

function approve(progress: Progress, { index, by, atMs }: { index: number; by: string; atMs: number }): Outcome {
  if (index !== progress.index) return { progress, decision: refuse(`the approval is of step ${index}, the rollout is at step ${progress.index}`) };
  if (progress.approvedBy !== null) return { progress, decision: refuse(`${progress.approvedBy} has approved of step ${index}`) };
  const step = stepsOf(progress.strategy)[index];
  if (!step || (progress.state !== 'paused' && step.pause !== 'manual')) return { progress, decision: refuse(`step ${index} waits for nobody`) };
  const approved = { ...progress, approvedBy: by };
  return approved.servedMs === null ? { progress: approved, decision: hold(null, 'not every node serves the step') } : goOn(approved, atMs);
}

function look(progress: Progress, { atMs, verdict: { verdict, reasons } }: Extract<StepEvent, { kind: 'look' }>, policy: StepPolicy): Outcome {
  const judged = policy.enabled && !policy.dryRun;
  const said = reasons.map(({ message }) => message).join('; ');
  if (judged && verdict === 'fail') return end(progress, 'rolled_back', said);
  if (atMs - (progress.pausedMs ?? progress.askedMs) >= policy.giveUpMs && (progress.state === 'paused' || progress.servedMs === null)) {
    return end(progress, 'rolled_back', progress.state === 'paused' ? `nobody has decided in time: ${progress.reason}` : 'not every node has come to serve it in time');
  }
  const step = stepsOf(progress.strategy)[progress.index];
  if (progress.servedMs === null || !step) return { progress, decision: hold(null, 'not every node serves the step') };
  if (progress.approvedBy !== null) return goOn(progress, atMs);
  if (step.pause === 'manual') return pause(progress, atMs, `step ${progress.index} waits for an approval`);
  const dueMs = progress.servedMs + step.pause.forMs;
  if (atMs < dueMs) return { progress, decision: hold(dueMs, said) };
  if (!judged || verdict === 'pass' || policy.onInsufficientData === 'go-on') return goOn(progress, atMs);
  if (policy.onInsufficientData === 'probe' && !progress.probed) return { progress: { ...progress, probed: true }, decision: { kind: 'probe' } };
  if (progress.state === 'progressing' && atMs < dueMs + policy.holdMs) return { progress, decision: hold(dueMs + policy.holdMs, said) };
  return pause(progress, atMs, said);
}

/** The next step. */
function goOn(progress: Progress, atMs: number): Outcome {
  const index = progress.index + 1;
  const step = stepsOf(progress.strategy)[index];
  const now: Progress = { ...progress, state: 'progressing', index, askedMs: atMs, servedMs: null, pausedMs: null, approvedBy: null, probed: false, reason: null };
  if (!step) return { progress: now, decision: { kind: 'promote', index } };
  return { progress: now, decision: { kind: 'go-on', index, percent: step.percent, shadow: step.shadow } };
}

function pause(progress: Progress, atMs: number, reason: string): Outcome {
  if (progress.state === 'paused') return { progress: { ...progress, reason }, decision: hold(null, reason) };
  return { progress: { ...progress, state: 'paused', pausedMs: atMs, reason }, decision: { kind: 'pause', reason } };
}

function end(progress: Progress, state: 'rolled_back' | 'aborted', reason: string): Outcome {
  return { progress: { ...progress, state, reason }, decision: { kind: 'roll-back', reason } };
}

const hold = (untilMs: number | null, reason: string): Decision => ({ kind: 'hold', untilMs, reason });
const refuse = (reason: string): Decision => ({ kind: 'refuse', reason });
