import { lookup as systemLookup } from 'node:dns';
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Agent, type buildConnector } from 'undici';
import { HttpError } from '../http/error-code.js';
import { addressFault } from './address-rule.js';
import { canonicalHost } from './outbound-policy.js';

export interface ResolvedAddress {
  address: string;
  family: number;
}

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<ResolvedAddress[]>;

/** By the machine's own resolver. */
export const resolveBySystem: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });

export interface ConnectorRights {
  allowPrivate: boolean;
  /** At a time, those that are kept for later requests included. */
  maxConnections: number;
}

/** A connection attempt that nobody waits for any more ends at the latest then. */
export const CONNECT_TIMEOUT_MS = 60_000;

/**
 * Connects for undici: resolves the name once, checks every address, and connects to one that was checked. A name that changes its
 * answer between check and use gains nothing: there is no second look-up. What is being looked up counts as a connection.
 */
export function guardedConnector(rights: ConnectorRights, resolve: Resolve = resolveBySystem): buildConnector.connector {
  const { allowPrivate, maxConnections } = rights;
  let open = 0;
  return (options, callback) => {
    if (open >= maxConnections) {
      callback(new HttpError({ tag: 'connection-limit-reached' }), null);
      return;
    }
    open++;
    const leave = () => open--;
    const host = canonicalHost(options.hostname);
    checkedAddresses(host, allowPrivate, resolve)
      .then((addresses) => {
        const port = Number(options.port || (options.protocol === 'https:' ? 443 : 80));
        const lookup: LookupFunction = (_name, { all }, give) => {
          if (all) give(null, addresses);
          else give(null, addresses[0]!.address, addresses[0]!.family);
        };
        // The name stands for the checked addresses alone: `lookup` is the only way from it to an address.
        const target = { host: isIP(host) ? addresses[0]!.address : host, port, lookup, autoSelectFamily: true, noDelay: true };
        if (options.protocol !== 'https:') {
          settle(connectTcp(target).once('close', leave), 'connect', callback);
          return;
        }
        const servername = isIP(host) ? '' : (options.servername ?? host);
        settle(connectTls({ ...target, servername, ALPNProtocols: ['http/1.1'] }).once('close', leave), 'secureConnect', callback);
      })
      .catch((error: unknown) => {
        leave();
        callback(error as Error, null);
      });
  };
}

/** The addresses of a name that a guest may connect to. Throws an HttpError when there is none. */
export async function checkedAddresses(host: string, allowPrivate: boolean, resolve: Resolve): Promise<ResolvedAddress[]> {
  const family = isIP(host);
  const addresses = family ? [{ address: host, family }] : await resolve(host);
  const allowed = addresses.filter(({ address }) => addressFault(address, allowPrivate) === null);
  if (addresses.length === 0) throw new HttpError({ tag: 'DNS-error', val: { rcode: 'address not available', infoCode: undefined } });
  if (allowed.length === 0) throw new HttpError({ tag: 'destination-IP-prohibited' });
  return allowed;
}

function settle(socket: Socket, ready: 'connect' | 'secureConnect', callback: buildConnector.Callback): void {
  const timer = setTimeout(() => socket.destroy(new HttpError({ tag: 'connection-timeout' })), CONNECT_TIMEOUT_MS);
  const failed = (error: Error) => {
    clearTimeout(timer);
    callback(error, null);
  };
  socket.once('error', failed);
  socket.once(ready, () => {
    clearTimeout(timer);
    socket.removeListener('error', failed);
    callback(null, socket);
  });
}

/** The pool of connections of one grant. HTTP/1.1 alone; its timeouts are those of each request, so it has none of its own. */
export function createAgent(rights: ConnectorRights, resolve?: Resolve): Agent {
  return new Agent({
    connect: guardedConnector(rights, resolve),
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 64 * 1024,
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 60_000,
  });
}
