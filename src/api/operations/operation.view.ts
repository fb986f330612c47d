import { createHash } from 'node:crypto';
import { ERRORS, type ErrorCode, type Problem, toProblem, WhorlError } from '#contract/errors.js';
import { describeHeld } from '../channels/gate.js';
import { type OperationFailure, type OperationStep, stepsOfRollout } from './operation.js';
import type { OperationRecord } from './operation.repository.js';
import type { OperationView } from './operation.schema.js';

const REVISION_CHARS = 16;

/** An operation as people see it. Pure. */
export function toView(operation: OperationRecord): OperationView {
  const { id, kind, target, state, failure, cancelAskedBy, cancelAskedAt, causedBy, createdAt, endedAt, rollout, collectionId } = operation;
  const view = {
    id: Number(id), kind, target, state,
    steps: stepsOf(operation),
    waitsFor: waitsFor(operation),
    rollout: rollout?.rollout ?? null, collection: collectionId,
    result: state === 'succeeded' ? resultOf(operation) : null,
    error: failure && state !== 'succeeded' ? toOperationProblem(failure) : null,
    cancelAsked: cancelAskedBy !== null && cancelAskedAt ? { by: cancelAskedBy, at: cancelAskedAt.toISOString() } : null,
    causedBy, createdAt: createdAt.toISOString(), endedAt: endedAt?.toISOString() ?? null,
  };
  return { ...view, revision: createHash('sha256').update(JSON.stringify(view)).digest('base64url').slice(0, REVISION_CHARS) };
}

function waitsFor({ rollout }: OperationRecord): string | null {
  if (rollout?.state !== 'paused') return null;
  if (rollout.phase === 'awaiting-approval') return 'somebody must agree to what the version asks for';
  return rollout.held ? describeHeld(rollout.held) : rollout.pausedFor;
}

function stepsOf({ rollout, collection, steps }: OperationRecord): OperationStep[] {
  if (rollout) return stepsOfRollout(rollout);
  return collection ? [{ name: 'collect', startedAt: collection.startedAt, endedAt: collection.endedAt, detail: null }] : steps;
}

function resultOf({ rollout, collection, target, result }: OperationRecord): OperationView['result'] {
  if (rollout) return { ...target, generation: rollout.generation, rollout: rollout.rollout };
  return (collection ? { ...collection.report } : result) as OperationView['result'];
}

/** What failed on a node's side may have a code that is none of a call. */
function toOperationProblem({ code, message }: OperationFailure): Problem {
  return toProblem(code in ERRORS ? new WhorlError(code as ErrorCode, message) : new WhorlError('API_ROLLOUT_FAILED', `${code}: ${message}`));
}
