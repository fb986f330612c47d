import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { GuestGrant } from '../guest.js';
import { checkedAddresses, CONNECT_TIMEOUT_MS, resolveBySystem, type Resolve } from './connector.js';
import { canonicalHost } from './outbound-policy.js';

/** Where to, after the component's own policy has let it pass. */
export interface DialTarget {
  host: string;
  port: number;
  /** Absent: in clear. */
  tls?: ConnectionOptions;
}

/**
 * Opens a connection for a guest: the name is resolved once, every address is checked against the platform's and the operator's rules, and the
 * connection goes to one that was checked. Resolves with a connected socket (over TLS: with the certificate verified for `host`, unless
 * `tls` says otherwise); rejects with an HttpError (`destination-IP-prohibited`, `DNS-error`, `connection-timeout`) or the system's error.
 */
export async function dial(grant: GuestGrant, { host: name, port, tls }: DialTarget, resolve: Resolve = resolveBySystem): Promise<Socket> {
  const host = canonicalHost(name);
  const addresses = await checkedAddresses(host, grant.allowPrivateHosts, resolve);
  const lookup: LookupFunction = (_name, { all }, give) => {
    if (all) give(null, addresses);
    else give(null, addresses[0]!.address, addresses[0]!.family);
  };
  const target = { host: isIP(host) ? addresses[0]!.address : host, port, lookup, autoSelectFamily: true, noDelay: true };
  const socket = tls ? connectTls({ servername: isIP(host) ? '' : host, ...tls, ...target }) : connect(target);
  return new Promise((done, failed) => {
    const timer = setTimeout(() => socket.destroy(new Error('the connection was not made in time')), CONNECT_TIMEOUT_MS);
    const fail = (error: Error) => {
      clearTimeout(timer);
      failed(error);
    };
    socket.once('error', fail);
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      socket.removeListener('error', fail);
      done(socket);
    });
  });
}
