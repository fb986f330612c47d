import type { AssignmentStatus } from '#contract/assignment.js';
import type { ErrorCode } from '#contract/errors.js';
import type { Progress } from './analysis/steps.js';

/**
 * A rollout is in one of five states, and at one of four places:
 *
 * ```
 *  paused                  progressing                progressing                 progressing, paused
 *  awaiting-approval ──▶   preparing   ──────────▶    switching   ────────────▶   holding
 *      somebody agrees         every live node            │  ▲  every live node      │  time is up and the version passes,
 *                              has it prepared            │  └──  has switched  ──────┘  or an approval that names the step
 *                                                         ▼
 *                                                     promoted (it has all requests)
 *
 *  from preparing, switching and holding ──▶ rolled_back: a node cannot, or not in time; the version fails beside the old one; a rollback.
 *                                                         What was served before is served again
 *  from anywhere ──▶ aborted: somebody ended or rejected it, or a later one went ahead
 * ```
 *
 * Steps of a strategy go from switching to holding and back, each with a generation of its own; `now` goes from switching to promoted
 * (analysis/steps.ts decides). It begins with `preparing` unless the policy of the channel asks for approval of what the version asks for: until
 * then no node hears of it. With no live node it waits, without a deadline. Everything here is stored: whoever looks next goes on from there.
 */
export type RolloutState = Progress['state'];
export type RolloutPhase = 'awaiting-approval' | 'preparing' | 'switching' | 'holding';

/** A large app compiles in seconds; a node that needs longer has another trouble. */
export const PREPARE_TIMEOUT_MS = 120_000;
/** A switch of prepared versions is a matter of milliseconds. */
export const SWITCH_TIMEOUT_MS = 30_000;
/** A failure reported before the rollout began is of an earlier try, unless the node still insists after this long. */
export const STALE_FAILURE_MS = 3_000;

export interface Failure {
  code: ErrorCode | (string & {});
  message: string;
}

export interface RolloutSituation {
  version: number;
  phase: RolloutPhase;
  /** The last generation it made. */
  generation: number | null;
  /** When it began to prepare. */
  begunAt: Date;
  deadlineAt: Date | null;
  /** Of its channel now. */
  channelGeneration: number;
  /** The engines that the version is built for, or is going to be, each with the reason when it cannot be. */
  builds: readonly { engine: string; failure: Failure | null }[];
}

export interface NodeSituation {
  node: string;
  changedAt: Date;
  /** What it can run. */
  engines: readonly string[];
  status: AssignmentStatus | undefined;
}

export type Step =
  | { kind: 'wait'; deadlineAt: Date | null }
  /** Every live node has it prepared: the first step, or all requests. */
  | { kind: 'begin' }
  /** Every live node serves what it asked for last. */
  | { kind: 'switched' }
  /** A step goes on: its time and its judgement are to be looked at. */
  | { kind: 'look' }
  | { kind: 'fail'; failure: Failure }
  | { kind: 'revert'; failure: Failure }
  | { kind: 'supersede' };

/** What is to be done about an active rollout, given what the live nodes say. */
export function nextStep(rollout: RolloutSituation, nodes: readonly NodeSituation[], now: Date): Step {
  const { phase } = rollout;
  if (phase === 'awaiting-approval' || nodes.length === 0) return { kind: 'wait', deadlineAt: null };
  if (phase === 'holding') {
    if (rollout.channelGeneration !== rollout.generation) return { kind: 'supersede' };
    const broken = failureOf(rollout, nodes.filter((node) => !isPrepared(rollout, node)), now);
    return broken ? toFailure(rollout, broken) : { kind: 'look' };
  }
  const preparing = phase === 'preparing';
  const late = nodes.filter((node) => !(preparing ? isPrepared(rollout, node) : hasSwitched(rollout, node)));
  if (late.length === 0) return { kind: preparing ? 'begin' : 'switched' };
  const failure = failureOf(rollout, late, now) ?? engineFailureOf(rollout, late) ?? timeoutOf(rollout, late, now);
  if (failure) return toFailure(rollout, failure);
  return { kind: 'wait', deadlineAt: rollout.deadlineAt ?? new Date(now.getTime() + (preparing ? PREPARE_TIMEOUT_MS : SWITCH_TIMEOUT_MS)) };
}

function toFailure(rollout: RolloutSituation, failure: Failure): Step {
  if (rollout.phase === 'preparing') return { kind: 'fail', failure };
  // A later rollout has been promoted over this one: there is nothing left to go back from.
  return rollout.channelGeneration === rollout.generation ? { kind: 'revert', failure } : { kind: 'supersede' };
}

function isPrepared({ version }: RolloutSituation, { status }: NodeSituation): boolean {
  return status?.prepared.some((prepared) => prepared === version) ?? false;
}

function hasSwitched({ generation }: RolloutSituation, { status }: NodeSituation): boolean {
  return status !== undefined && status.generation >= (generation ?? Number.POSITIVE_INFINITY);
}

function failureOf(rollout: RolloutSituation, nodes: readonly NodeSituation[], now: Date): Failure | undefined {
  const overdue = now.getTime() - rollout.begunAt.getTime() > STALE_FAILURE_MS;
  for (const { node, changedAt, status } of nodes) {
    const failed = status?.failed.find(({ version }) => version === rollout.version);
    if (failed && (overdue || changedAt >= rollout.begunAt)) return { code: failed.code, message: `${failed.message} (node ${node})` };
  }
  return undefined;
}

/** A node that can run nothing of what is built, or going to be, would be waited for in vain. */
function engineFailureOf({ version, builds }: RolloutSituation, nodes: readonly NodeSituation[]): Failure | undefined {
  const runs = ({ engines }: NodeSituation, { engine }: { engine: string }): boolean => engines.includes(engine);
  const node = nodes.find((each) => !builds.some((build) => build.failure === null && runs(each, build)));
  if (!node) return undefined;
  const refused = builds.find((build) => runs(node, build));
  if (refused) return refused.failure!;
  const built = builds.filter(({ failure }) => failure === null).map(({ engine }) => engine).join(', ');
  return { code: 'NODE_ENGINE_UNSUPPORTED', message: `version ${version} is built for engine ${built}, node ${node.node} runs ${node.engines.join(', ')}` };
}

function timeoutOf({ phase, deadlineAt, version }: RolloutSituation, late: readonly NodeSituation[], now: Date): Failure | undefined {
  if (deadlineAt === null || now < deadlineAt) return undefined;
  const names = late.map(({ node }) => node).join(', ');
  return { code: 'API_ROLLOUT_TIMEOUT', message: `version ${version} was not ${phase === 'preparing' ? 'prepared' : 'switched to'} in time by ${names}` };
}
