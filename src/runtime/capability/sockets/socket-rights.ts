import { refusesEffect } from '../effect.js';
import type { GuestState } from '../guest.js';
import { tryLease, type Lease } from '../outbound/connection-budget.js';
import { mayReach } from '../outbound/dial.js';
import { noteProhibited } from '../outbound/dial-failure.js';
import { noteDenied, policyOf } from '../outbound/outbound.js';
import { slotOf, type Stoppable } from '../slot.js';
import { authorityOf, type Endpoint } from './socket-address.js';
import { SocketFault } from './socket-fault.js';

export type SocketScheme = 'tcp' | 'udp';

const isAllowed = ({ grant }: GuestState, scheme: SocketScheme, { address, port }: Endpoint): boolean =>
  policyOf(grant.allowedOutboundHosts).allows({ scheme, host: address, port });

/** Throws `access-denied`, and says why in the log, when the component or the operator does not allow `to`. */
export function checkRemote(state: GuestState, scheme: SocketScheme, to: Endpoint): void {
  if (refusesEffect(state)) throw new SocketFault('access-denied');
  if (!isAllowed(state, scheme, to)) {
    noteDenied(state, `${scheme}://${authorityOf(to)}`);
    throw new SocketFault('access-denied');
  }
  if (mayReach(state.grant, to.address)) return;
  noteProhibited(state.invocation);
  throw new SocketFault('access-denied');
}

/** Whether what came from there may be given to the guest. */
export function mayHear(state: GuestState, scheme: SocketScheme, from: Endpoint): boolean {
  return isAllowed(state, scheme, from) && mayReach(state.grant, from.address);
}

/** The right to one more socket, which is closed with the invocation. Throws `new-socket-limit`. */
export function takeSocket(state: GuestState, socket: Stoppable): Lease {
  const taken = tryLease(state.grant, 'socket');
  if (!taken) {
    state.invocation.struck?.('COMPONENT_CONNECTION_LIMIT', 'the component, or its app, has as many connections in this runner as it may have');
    throw new SocketFault('new-socket-limit');
  }
  if (slotOf(state).track(socket)) return taken;
  taken.release();
  throw new SocketFault('new-socket-limit');
}
