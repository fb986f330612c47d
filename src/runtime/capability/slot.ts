import type { GuestState, Invocation } from './guest.js';

/** A body whose first bytes are kept back so that a small message leaves in one write. */
export interface HeldBody {
  flush(): void;
}

/** Work towards the network or another component that must not outlive its invocation. */
export interface Stoppable {
  stop(reason: Error): void;
}

/** What the capabilities of one slot share; in one that invocations share, those of one invocation. */
export class Slot {
  private held: HeldBody[] = [];
  private heldFor: Invocation | null = null;
  private readonly outbound = new Set<Stoppable>();
  private outboundFor: Invocation | null = null;
  /** Requests of the invocation so far. */
  private outboundRequests = 0;

  constructor(private readonly state: GuestState) {}

  /** Keeps a body back until the guest waits: until then nothing could leave this process anyway. */
  hold(body: HeldBody): void {
    if (this.heldFor !== this.state.invocation) {
      this.held = [];
      this.heldFor = this.state.invocation;
    }
    this.held.push(body);
  }

  /** Lets go what is held. Bodies of an earlier invocation are dropped: theirs is over. */
  flush(): void {
    if (this.held.length === 0) return;
    const { held } = this;
    this.held = [];
    if (this.heldFor !== this.state.invocation) return;
    for (const body of held) body.flush();
  }

  /** False: the invocation has sent too many, or has too many under way. Everything tracked is stopped when the invocation ends or the slot is reset. */
  track(work: Stoppable): boolean {
    const { invocation } = this.state;
    if (this.outboundFor !== invocation) {
      this.stopAll(new Error('the invocation is over'));
      this.outboundFor = invocation;
      this.outboundRequests = 0;
      const stop = () => {
        if (this.outboundFor === invocation) this.stopAll(new Error('the invocation is over'));
      };
      this.state.defer(() => {
        invocation.ending.off(stop);
        stop();
      });
      invocation.ending.on(stop);
    }
    const { outboundRequests, outboundConcurrency } = this.state.grant.limits;
    if (this.outboundRequests >= outboundRequests) return this.refuse(`it may send ${outboundRequests} requests`);
    if (this.outbound.size >= outboundConcurrency) return this.refuse(`it may have ${outboundConcurrency} requests under way at a time`);
    this.outboundRequests++;
    this.outbound.add(work);
    return true;
  }

  /** False: it was not tracked any more. */
  untrack(work: Stoppable): boolean {
    return this.outbound.delete(work);
  }

  private refuse(why: string): false {
    this.state.invocation.struck?.('COMPONENT_OUTBOUND_LIMIT', `a request of the component was not sent: ${why}`);
    return false;
  }

  private stopAll(reason: Error): void {
    const all = [...this.outbound];
    this.outbound.clear();
    for (const work of all) work.stop(reason);
  }
}

const slots = new WeakMap<GuestState, Slot>();

/** The one `Slot` of a guest state, or of the invocation that it is at when several share it. */
export function slotOf(state: GuestState): Slot {
  const { own } = state;
  if (own) return (own.capabilities ??= new Slot(state)) as Slot;
  let slot = slots.get(state);
  if (!slot) slots.set(state, (slot = new Slot(state)));
  return slot;
}
