import type { AssignmentStatus } from '#contract/assignment.js';
import type { ErrorCode } from '#contract/errors.js';

/**
 * A rollout, blue/green in one step:
 *
 * ```
 *  awaiting-approval ──▶ rejected (by somebody), superseded (a later one began)
 *      │ somebody agrees
 *      ▼
 *             every live node has it prepared        every live node has switched
 *  preparing ────────────────────────────▶ switching ────────────────────────────▶ done
 *      │ │                                     │
 *      │ └──▶ superseded (a later one went     └──▶ failed (a node cannot, or not in time:
 *      │      ahead)                                what was served before is served again)
 *      └────▶ failed (a node cannot, or not in time; what is served was never touched)
 * ```
 *
 * It begins with `preparing` unless the policy of the channel asks for approval of what the version asks for. Until then no node hears of it.
 * With no live node it waits, without a deadline. Everything here is stored: whoever looks next goes on from there.
 */
export type RolloutState = 'awaiting-approval' | 'preparing' | 'switching' | 'done' | 'failed' | 'rejected' | 'superseded';

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
  state: RolloutState;
  /** The generation it made. */
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
  | { kind: 'promote' }
  | { kind: 'finish' }
  | { kind: 'fail'; failure: Failure }
  | { kind: 'revert'; failure: Failure }
  | { kind: 'supersede' };

/** What is to be done about an active rollout, given what the live nodes say. */
export function nextStep(rollout: RolloutSituation, nodes: readonly NodeSituation[], now: Date): Step {
  const preparing = rollout.state === 'preparing';
  if (rollout.state === 'awaiting-approval' || nodes.length === 0) return { kind: 'wait', deadlineAt: null };
  const late = nodes.filter((node) => !(preparing ? isPrepared(rollout, node) : hasSwitched(rollout, node)));
  if (late.length === 0) return { kind: preparing ? 'promote' : 'finish' };
  const failure = failureOf(rollout, late, now) ?? engineFailureOf(rollout, late) ?? timeoutOf(rollout, late, now);
  if (failure) return toFailure(rollout, failure);
  return { kind: 'wait', deadlineAt: rollout.deadlineAt ?? new Date(now.getTime() + (preparing ? PREPARE_TIMEOUT_MS : SWITCH_TIMEOUT_MS)) };
}

function toFailure(rollout: RolloutSituation, failure: Failure): Step {
  if (rollout.state === 'preparing') return { kind: 'fail', failure };
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

function timeoutOf({ state, deadlineAt, version }: RolloutSituation, late: readonly NodeSituation[], now: Date): Failure | undefined {
  if (deadlineAt === null || now < deadlineAt) return undefined;
  const names = late.map(({ node }) => node).join(', ');
  return { code: 'API_ROLLOUT_TIMEOUT', message: `version ${version} was not ${state === 'preparing' ? 'prepared' : 'switched to'} in time by ${names}` };
}
