import type { Headers } from '#runtime/capability/guest.js';

/** Fields that belong to one connection (RFC 9110 §7.6.1) and to the framing that the server does itself. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings']);
/** `te` may tell a guest that the client reads trailers; in an answer it has no meaning. */
const NOT_IN_ANSWERS = new Set([...HOP_BY_HOP, 'te']);

/** What a matched route tells the guest. */
export interface RouteMatch {
  /** As in the manifest: `/users/:id/...`. */
  route: string;
  /** What the wildcard took: '' or '/…'. */
  trailing: string;
  params: readonly (readonly [name: string, value: string])[];
}

export interface RequestFacts {
  scheme: 'http' | 'https';
  authority: string;
  pathWithQuery: string;
  /** `ip:port`; `0.0.0.0:0` for a chained request. */
  clientAddr: string;
}

/** Names that a `Connection` field makes hop-by-hop as well. */
function connectionOptions(rawHeaders: readonly string[]): ReadonlySet<string> | null {
  let named: Set<string> | null = null;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.length !== 10 || rawHeaders[i]!.toLowerCase() !== 'connection') continue;
    for (const option of rawHeaders[i + 1]!.split(',')) {
      const name = option.trim().toLowerCase();
      // Naming these would hide from the guest what the platform answers for.
      if (name !== '' && name !== 'close' && name !== 'keep-alive' && name !== 'host' && name !== 'content-length') (named ??= new Set()).add(name);
    }
  }
  return named;
}

/**
 * The fields of a client's request as the guest sees them: names in lower case, nothing hop-by-hop, and no `spin-…` of the client's
 * own, which a guest would take for the platform's word (docs/adr/0006).
 */
export function guestRequestHeaders(rawHeaders: readonly string[]): [string, string][] {
  const dropped = connectionOptions(rawHeaders);
  const headers: [string, string][] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (HOP_BY_HOP.has(name) || name.startsWith('spin-') || name.startsWith('spin_') || dropped?.has(name)) continue;
    headers.push([name, rawHeaders[i + 1]!]);
  }
  return headers;
}

/** Spin's fields about a request, in Spin's order. */
export function spinHeaders(match: RouteMatch, facts: RequestFacts): [string, string][] {
  const componentRoute = match.route.replace(/\/(?:\.\.\.|\*)$/, '');
  return [
    ['spin-path-info', match.trailing],
    ['spin-full-url', `${facts.scheme}://${facts.authority}${facts.pathWithQuery}`],
    ['spin-matched-route', match.route],
    ['spin-base-path', '/'],
    ['spin-raw-component-route', match.route],
    ['spin-component-route', componentRoute],
    ['spin-client-addr', facts.clientAddr],
    ...match.params.map(([name, value]): [string, string] => [`spin-path-match-${name.toLowerCase().replaceAll('_', '-')}`, value]),
  ];
}

/**
 * A guest's answer as `writeHead` takes it: names and values in turn. `length`: bytes of the body when all of it is known and the
 * guest gave no content-length.
 */
export function answerHeaders(headers: Headers, length: number | null): string[] {
  const flat: string[] = [];
  let declared = false;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (NOT_IN_ANSWERS.has(lower)) continue;
    if (lower === 'content-length') declared = true;
    flat.push(name, value);
  }
  if (length !== null && !declared) flat.push('content-length', `${length}`);
  return flat;
}
