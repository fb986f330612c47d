import { refusesEffect } from '../effect.js';
import type { GuestState } from '../guest.js';
import { canonicalHost, isLiteral } from '../outbound/outbound-policy.js';
import { resolveBySystem } from '../outbound/resolve.js';
import { slotOf, type Stoppable } from '../slot.js';
import { Pollable } from '../wait.js';
import { toIpAddress, type Family, type IpAddress } from './socket-address.js';
import { SocketFault } from './socket-fault.js';

/**
 * One look-up of a name. Any name may be looked up (as in Spin); what its addresses lead to is checked when they are connected to. An address
 * stands for itself.
 */
export class NameLookup extends Pollable implements Stoppable {
  private addresses: readonly IpAddress[] | null = null;
  private failure: SocketFault | null = null;
  private next = 0;

  /** @param family those of one family alone; null: all. Throws `invalid-argument` for what is no name, `access-denied` where nothing may be sent, and when the invocation has asked too often. */
  constructor(private readonly state: GuestState, name: string, private readonly family: Family | null = null) {
    super();
    const host = toName(name);
    if (host === null) throw new SocketFault('invalid-argument');
    if (isLiteral(host)) this.addresses = this.wanted([host]);
    // The question goes to whoever has the name.
    else if (refusesEffect(state)) throw new SocketFault('access-denied');
    else if (slotOf(state).track(this)) void this.ask(host);
    else throw new SocketFault('temporary-resolver-failure');
  }

  ready(): boolean {
    return this.addresses !== null || this.failure !== null;
  }

  /** All addresses. Throws why there are none, `would-block` while they are looked up. */
  get all(): readonly IpAddress[] {
    if (this.failure) throw this.failure;
    if (!this.addresses) throw new SocketFault('would-block');
    return this.addresses;
  }

  /** The next one, undefined when all have been given. Throws as `all`. */
  take(): IpAddress | undefined {
    return this.all[this.next++];
  }

  /** Nobody waits for it any more. */
  stop(): void {
    this.settle(null, new SocketFault('temporary-resolver-failure'));
  }

  close(): void {
    slotOf(this.state).untrack(this);
    this.stop();
  }

  private async ask(host: string): Promise<void> {
    try {
      const found = await resolveBySystem(host);
      this.settle(this.wanted(found.map(({ address }) => address)), null);
    } catch (error) {
      const { fault } = SocketFault.from(error);
      this.settle(null, new SocketFault(fault === 'unknown' ? 'permanent-resolver-failure' : fault, { cause: error }));
    }
    slotOf(this.state).untrack(this);
    this.wake();
  }

  private wanted(addresses: readonly string[]): IpAddress[] {
    return addresses.map(toIpAddress).filter(({ tag }) => this.family === null || tag === this.family);
  }

  private settle(addresses: readonly IpAddress[] | null, failure: SocketFault | null): void {
    if (this.ready()) return;
    this.addresses = addresses;
    this.failure = failure;
    this.wake();
  }
}

/** The name as the resolver takes it; null: it is none. */
function toName(name: string): string | null {
  const host = canonicalHost(name);
  if (isLiteral(host)) return host;
  const url = /[\s/@?#\\:%]/.test(name) ? null : URL.parse(`http://${name}/`);
  return url && url.hostname !== '' ? canonicalHost(url.hostname) : null;
}
