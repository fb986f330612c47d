import type { ErrorCode } from '../http/error-code.js';
import type { OutboundRequest } from './outcome.js';
import { canonicalHost, CHAINING_SUFFIX, type OutboundPolicy } from './outbound-policy.js';

/** Where an outbound request goes. `destination` is what a message to the user names. */
export type Route =
  | { to: 'self' }
  | { to: 'component'; id: string }
  | { to: 'network'; origin: string }
  | { to: 'nowhere'; code: ErrorCode; destination: string | null };

const DENIED: ErrorCode = { tag: 'HTTP-request-denied' };
const BAD_URI: ErrorCode = { tag: 'HTTP-request-URI-invalid' };

/**
 * Decides by `allowed_outbound_hosts` (Spin's rules). Without an authority, or with `self.alt`, a request goes to the app itself;
 * `<id>.spin.internal` is one of its components. The address of a network destination is checked when it is connected to.
 */
export function routeOf(request: OutboundRequest, policy: OutboundPolicy, components: readonly string[]): Route {
  const scheme = request.scheme ?? 'https';
  if (request.authority === null || canonicalHost(request.authority.replace(/:\d*$/, '')) === 'self.alt') {
    return policy.allowsSelf() ? { to: 'self' } : { to: 'nowhere', code: DENIED, destination: 'http://self' };
  }
  const url = parseOrigin(scheme === 'https' ? 'https' : 'http', request.authority);
  if (!url) return { to: 'nowhere', code: BAD_URI, destination: null };
  const host = canonicalHost(url.hostname);
  const destination = `${scheme}://${url.host}`;
  // Host names are lower case, component ids need not be.
  const isChained = host.endsWith(CHAINING_SUFFIX);
  const id = isChained ? components.find((component) => component.toLowerCase() === host.slice(0, -CHAINING_SUFFIX.length)) : undefined;
  const to = { scheme, host, port: url.port === '' ? null : Number(url.port) };
  if (!policy.allows(to) && !(id !== undefined && policy.allowsComponents(to))) return { to: 'nowhere', code: DENIED, destination };
  if (scheme !== 'http' && scheme !== 'https') return { to: 'nowhere', code: { tag: 'HTTP-protocol-error' }, destination: null };
  if (!isChained) return { to: 'network', origin: destination };
  return id === undefined ? { to: 'nowhere', code: { tag: 'destination-not-found' }, destination: null } : { to: 'component', id };
}

/** The WHATWG URL parser brings odd spellings of addresses (`127.1`, `0x7f000001`) into their one form. */
function parseOrigin(scheme: string, authority: string): URL | null {
  const url = URL.parse(`${scheme}://${authority}/`);
  return url && url.username === '' && url.password === '' && url.pathname === '/' && url.hostname !== '' ? url : null;
}
