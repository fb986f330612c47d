import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { GuestGrant } from '../guest.js';
import { HttpError } from '../http/error-code.js';
import { addressFault } from './address-rule.js';
import { clientTlsOptions } from './client-tls.js';
import { lease as takeLease, type ConnectionKind, type Lease } from './connection-budget.js';
import { canonicalHost } from './outbound-policy.js';
import { resolveBySystem, type Resolve, type ResolvedAddress } from './resolve.js';

/** Where to, after the component's own policy has let it pass. */
export interface DialTarget {
  host: string;
  port: number;
  /** Absent: in clear. The operator's `client_tls` for the host is put in. */
  tls?: ConnectionOptions;
  /** Whose limit it counts towards, beside those of all connections. */
  kind?: ConnectionKind;
  /** Whether it stays open for writing when the other side has ended. */
  allowHalfOpen?: boolean;
}

/** A connection attempt that nobody waits for any more ends at the latest then. */
export const CONNECT_TIMEOUT_MS = 60_000;

/**
 * Opens a connection for a guest: the name is resolved once, every address is checked against the platform's and the operator's rules, and the
 * connection goes to one that was checked. A name that changes its answer between check and use gains nothing: there is no second look-up.
 * Resolves with a connected socket (over TLS: with the certificate verified for `host`, unless `tls` says otherwise); rejects with an HttpError
 * (`destination-IP-prohibited`, `DNS-error`, `connection-timeout`, `connection-limit-reached`) or the system's error.
 */
export async function dial(grant: GuestGrant, target: DialTarget, resolve: Resolve = resolveBySystem): Promise<Socket> {
  return dialLeased(grant, target, await takeLease(grant, target.kind ?? null), resolve);
}

/** `dial` for a caller that has the right to the connection already; it is given back when the connection is closed, or not made. */
export async function dialLeased(grant: GuestGrant, target: DialTarget, lease: Lease, resolve: Resolve = resolveBySystem): Promise<Socket> {
  try {
    const host = canonicalHost(target.host);
    const addresses = await checkedAddresses(grant, host, resolve);
    const socket = open(grant, { ...target, host }, addresses);
    socket.once('close', () => lease.release());
    return await connected(socket, target.tls ? 'secureConnect' : 'connect');
  } catch (error) {
    lease.release();
    throw error;
  }
}

function open(grant: GuestGrant, { host, port, tls, allowHalfOpen = false }: DialTarget, addresses: readonly ResolvedAddress[]): Socket {
  // the name stands for the checked addresses alone: `lookup` is the only way from it to an address
  const lookup: LookupFunction = (_name, { all }, give) => {
    if (all) give(null, [...addresses]);
    else give(null, addresses[0]!.address, addresses[0]!.family);
  };
  const target = { host: isIP(host) ? addresses[0]!.address : host, port, lookup, autoSelectFamily: true, noDelay: true, allowHalfOpen };
  return tls ? connectTls({ servername: isIP(host) ? '' : host, ...clientTlsOptions(grant, host, tls), ...target }) : connectTcp(target);
}

function connected(socket: Socket, ready: 'connect' | 'secureConnect'): Promise<Socket> {
  return new Promise((done, failed) => {
    const timer = setTimeout(() => socket.destroy(new HttpError({ tag: 'connection-timeout' })), CONNECT_TIMEOUT_MS);
    const fail = (error: Error) => {
      clearTimeout(timer);
      failed(error);
    };
    socket.once('error', fail);
    socket.once(ready, () => {
      clearTimeout(timer);
      socket.removeListener('error', fail);
      done(socket);
    });
  });
}

/** Whether a guest may exchange anything with an address: the platform's and the operator's rule. */
export function mayReach({ allowPrivateHosts, runtime }: GuestGrant, address: string): boolean {
  return addressFault(address, allowPrivateHosts, runtime.outboundNetworking.blockNetworks) === null;
}

/** The addresses of a name that a guest may connect to. Throws an HttpError when there is none. */
async function checkedAddresses(grant: GuestGrant, host: string, resolve: Resolve): Promise<ResolvedAddress[]> {
  const family = isIP(host);
  const addresses = family ? [{ address: host, family }] : await resolve(host);
  if (addresses.length === 0) throw new HttpError({ tag: 'DNS-error', val: { rcode: 'address not available', infoCode: undefined } });
  const allowed = addresses.filter(({ address }) => mayReach(grant, address));
  if (allowed.length === 0) throw new HttpError({ tag: 'destination-IP-prohibited' });
  return allowed;
}
