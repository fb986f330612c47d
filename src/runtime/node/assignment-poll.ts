import { setTimeout as sleep } from 'node:timers/promises';
import type { Assignment, NodeAssignments } from '#contract/assignment.js';
import type { Log } from '#platform/log.js';
import { adopt, releasedBy } from './adopt.js';
import { Backoff } from './backoff.js';
import { type ControlPlaneClient, ControlPlaneRefusal } from './control-plane.client.js';
import type { Membership } from './identity/membership.js';
import type { Admitted, Statements } from './statements.js';

const POLL_WAIT_S = 25;
const POLL_RETRY_MIN_MS = 100;
const POLL_RETRY_MAX_MS = 3_000;
/** What is held of a control plane that could not be believed in all: it is asked for everything. */
const NO_REVISION = '';

export interface AssignmentPollOptions {
  client: ControlPlaneClient;
  membership: Membership;
  statements: Statements;
  log: Log;
  held(): NodeAssignments | undefined;
  /** What the node is to hold from now on. @param released what it held and others have now */
  onChange(next: NodeAssignments, released: readonly Assignment[]): void;
  /** The control plane has answered. */
  onAnswer(): void;
  /** This node is none of the fleet any more. */
  onRemoved(): void;
}

/** Asks the control plane what the node is to hold, and takes what is signed. */
export class AssignmentPoll {
  private failing = false;
  /** Everything was asked for, to have it signed. */
  private askedForAll = false;

  constructor(private readonly options: AssignmentPollOptions) {}

  async run(signal: AbortSignal): Promise<void> {
    const { membership, log } = this.options;
    const backoff = new Backoff(POLL_RETRY_MIN_MS, POLL_RETRY_MAX_MS);
    await untilAborted(membership.settled, signal);
    while (!signal.aborted) {
      try {
        const isAll = await this.ask(signal);
        if (signal.aborted) return;
        if (this.failing && isAll) log.info('the control plane answers again');
        this.failing = !isAll;
        if (isAll) backoff.reset();
        else await pause(backoff.nextMs(), signal);
        this.options.onAnswer();
      } catch (error) {
        if (signal.aborted) return;
        await this.failed(error);
        await pause(backoff.nextMs(), signal);
      }
    }
  }

  /** One answer. False when there was something in it that nobody has signed. */
  private async ask(signal: AbortSignal): Promise<boolean> {
    const held = this.options.held();
    const wantsAll = !this.askedForAll && this.lacksSignatures(held);
    const raw = await this.options.client.assignments(wantsAll ? undefined : held?.revision, POLL_WAIT_S, signal);
    if (signal.aborted) return true;
    this.askedForAll ||= wantsAll;
    const { answer, refused } = await this.admit(raw, signal);
    for (const { code, message } of this.failing ? [] : refused) this.options.log.error('an assignment of the control plane is not served', { code, reason: message });
    if (answer.revision !== held?.revision || wantsAll) {
      this.options.onChange({ ...adopt(held, answer, this.options.statements), ...(refused.length > 0 && { revision: held?.revision ?? NO_REVISION }) }, releasedBy(answer, held));
      this.options.membership.keysChanged(this.options.statements.keysOf(this.options.held()?.assignments ?? []));
    }
    return refused.length === 0;
  }

  private async admit(raw: unknown, signal: AbortSignal): Promise<Admitted> {
    const { statements, membership } = this.options;
    // A new key is announced long before it signs; who was away meanwhile hears of both at once.
    if (!statements.knowsKeyOf(raw)) await membership.refresh(signal);
    return statements.admit(raw);
  }

  /** What came before the first bundle is asked for again, to have it signed. */
  private lacksSignatures(held: NodeAssignments | undefined): boolean {
    const { membership, statements } = this.options;
    return membership.trust !== undefined && held !== undefined && held.assignments.some((assignment) => statements.signatureOf(assignment) === undefined);
  }

  private async failed(error: unknown): Promise<void> {
    const { log, membership } = this.options;
    const refusal = error instanceof ControlPlaneRefusal ? error : undefined;
    if (refusal?.reason === 'API_NODE_KEY_WITHDRAWN' && (await membership.rejoin())) return;
    if (refusal?.code === 'NODE_REMOVED') return this.options.onRemoved();
    // Without the stack: it is no fault of ours, and comes with every start beside a control plane.
    if (!this.failing) log[refusal ? 'error' : 'warn']('no assignments from the control plane; what is held goes on being served', { reason: (error as Error).message });
    this.failing = true;
  }
}

async function untilAborted(settled: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const abort = (): void => aborted.resolve();
  signal.addEventListener('abort', abort, { once: true });
  await Promise.race([settled, aborted.promise]);
  signal.removeEventListener('abort', abort);
}

const pause = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal }).catch(() => {});
