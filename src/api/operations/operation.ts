import type { RolloutPhase, RolloutState } from '../rollouts/rollout-state.js';
import type { StepRecord } from '../rollouts/step-record.js';

/** What an operation may be of. `deploy`: of a push; `rebuild`: of versions for another engine. */
export const OPERATION_KINDS = ['deploy', 'rollout', 'rollback', 'collect', 'drain', 'ca-rotation', 'rebuild'] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export const OPERATION_STATES = ['running', 'succeeded', 'failed', 'cancelled'] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** What it acts on, by names: `{app, channel, version}`, `{node}`, … */
export type OperationTarget = Record<string, string | number>;

/** One thing after the other that it does. */
export interface OperationStep {
  name: string;
  startedAt: string;
  endedAt: string | null;
  /** How it went, in words; null: nothing to say. */
  detail: string | null;
}

export interface OperationFailure {
  code: string;
  message: string;
}

/** What is known of a rollout that an operation is. */
export interface RolloutFacts {
  rollout: number;
  state: RolloutState;
  phase: RolloutPhase;
  generation: number | null;
  steps: readonly Pick<StepRecord, 'step' | 'percent' | 'askedAt' | 'servedAt' | 'approvedBy'>[];
  failure: OperationFailure | null;
  /** Somebody must agree to what the version asks for, or had to. */
  asked: boolean;
  decidedAt: string | null;
  createdAt: string;
  endedAt: string | null;
}

/** The state of an operation that is a rollout. One that somebody, or a later one, has ended was cancelled. */
export function stateOfRollout({ state }: Pick<RolloutFacts, 'state'>): OperationState {
  if (state === 'promoted') return 'succeeded';
  if (state === 'rolled_back') return 'failed';
  return state === 'aborted' ? 'cancelled' : 'running';
}

/** What a rollout has come to so far, as steps of an operation: each ends where the next one begins. Pure. */
export function stepsOfRollout({ steps, asked, decidedAt, createdAt, endedAt }: RolloutFacts): OperationStep[] {
  const begun: { name: string; startedAt: string; detail: string | null }[] = [];
  if (asked) begun.push({ name: 'approve', startedAt: createdAt, detail: 'somebody must agree to what the version asks for' });
  if (!asked || decidedAt !== null) begun.push({ name: 'prepare', startedAt: decidedAt ?? createdAt, detail: null });
  for (const { step, percent, askedAt, servedAt, approvedBy } of steps) {
    begun.push({ name: 'switch', startedAt: askedAt, detail: `${percent} % of the requests` });
    if (servedAt !== null && percent < 100) begun.push({ name: 'hold', startedAt: servedAt, detail: approvedBy === null ? `step ${step}` : `step ${step}, approved by ${approvedBy}` });
  }
  // All requests are switched to when every node has.
  const last = steps.at(-1);
  const doneAt = last?.percent === 100 && last.servedAt !== null ? last.servedAt : endedAt;
  return begun.map((each, i) => ({ ...each, endedAt: begun[i + 1]?.startedAt ?? doneAt }));
}

/** Why a kind of operation cannot be ended at the moment; undefined: it can. */
export function cannotCancel({ kind, state }: { kind: OperationKind; state: OperationState }, cancellable: boolean): { code: 'API_OPERATION_ENDED' | 'API_OPERATION_NOT_CANCELLABLE'; message: string } | undefined {
  if (state !== 'running') return { code: 'API_OPERATION_ENDED', message: `it has ${state === 'cancelled' ? 'been cancelled' : state}` };
  return cancellable ? undefined : { code: 'API_OPERATION_NOT_CANCELLABLE', message: `what is done by an operation of the kind ${kind} cannot be left half done` };
}
