import type { Headers } from '#runtime/capability/guest.js';
import { FieldNames } from '#runtime/capability/http/field-names.js';

/**
 * What a guest gets of a request's header fields (Spin's HTTP trigger): none of the connection's own (RFC 9110, section 7.6.1), none that
 * claims to come from the platform, and behind the rest those that the platform adds. Pure.
 */

const OF_THE_CONNECTION = new FieldNames([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'transfer-encoding', 'upgrade',
  // Answered by the front itself.
  'expect',
]);
/** `spin_` too: CGI and many frameworks make no difference between the two. `whorl-` is between our own processes. */
const OF_THE_PLATFORM = /^(?:spin[-_]|whorl-)/;
const [S, W] = [0x73, 0x77];

function isOfThePlatform(lowerName: string): boolean {
  const first = lowerName.charCodeAt(0);
  return (first === S || first === W) && OF_THE_PLATFORM.test(lowerName);
}

/** Of a request that no client of ours sent. */
export const NO_CLIENT = '0.0.0.0:0';

/** A route as it is told to a guest. */
export interface RouteHeaders {
  fixed: Headers;
}

export function toRouteHeaders(rawRoute: string): RouteHeaders {
  return {
    fixed: [
      ['spin-matched-route', rawRoute],
      ['spin-base-path', '/'],
      ['spin-raw-component-route', rawRoute],
      ['spin-component-route', rawRoute.replace(/\/\.\.\.$/, '')],
    ],
  };
}

export const CHAINED_ROUTE: RouteHeaders = toRouteHeaders('/...');

/** The fields a client sent, without those that a guest must not see. `authority` replaces Host. */
export function toGuestFields(rawHeaders: readonly string[], authority: string): [string, string][] {
  const fields: [string, string][] = [];
  const named = connectionOptions(rawHeaders);
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (OF_THE_CONNECTION.has(name) || isOfThePlatform(name) || named?.has(name)) continue;
    fields.push([name, name === 'host' ? authority : rawHeaders[i + 1]!]);
  }
  return fields;
}

/** Fields of a request from another component; a Host of the platform's own domain is no host. */
export function toChainedFields(headers: Headers, authority: string): [string, string][] {
  const internal = /\.spin\.internal(?::\d+)?$/i.test(authority);
  const fields = headers
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => !OF_THE_CONNECTION.has(name) && !isOfThePlatform(name) && name !== 'host');
  if (!internal) fields.unshift(['host', authority]);
  return fields;
}

export interface InjectedFacts {
  pathInfo: string;
  fullUrl: string;
  clientAddress: string;
  params: readonly (readonly [string, string])[];
}

/** Adds what the platform tells a guest about its route and client. */
export function injectHeaders(fields: [string, string][], route: RouteHeaders, facts: InjectedFacts): Headers {
  fields.push(['spin-path-info', facts.pathInfo], ['spin-full-url', facts.fullUrl]);
  for (const field of route.fixed) fields.push(field as [string, string]);
  fields.push(['spin-client-addr', facts.clientAddress]);
  for (const [name, value] of facts.params) fields.push([`spin-path-match-${name.toLowerCase().replaceAll('_', '-')}`, value]);
  return fields;
}

/** `ip:port` of a peer. */
export function toClientAddress(address: string | undefined, port: number | undefined): string {
  if (address === undefined || port === undefined) return NO_CLIENT;
  const plain = toClientHost(address);
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** An IPv4 address that came as IPv6 written as what it is. */
export function toClientHost(address: string | undefined): string {
  return address?.startsWith('::ffff:') ? address.slice(7) : (address ?? '');
}

/** The host of what `toClientAddress` made. */
export function hostOfClient(clientAddress: string): string {
  return clientAddress.slice(0, clientAddress.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}

/** Fields that Connection names belong to the connection too. Most requests have none. */
export function connectionOptions(rawHeaders: readonly string[]): ReadonlySet<string> | null {
  let named: Set<string> | null = null;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.length !== 10 || rawHeaders[i]!.toLowerCase() !== 'connection') continue;
    for (const option of rawHeaders[i + 1]!.split(',')) (named ??= new Set()).add(option.trim().toLowerCase());
  }
  // Host and lengths are the message's, whatever Connection says.
  named?.delete('host');
  named?.delete('content-length');
  return named;
}
