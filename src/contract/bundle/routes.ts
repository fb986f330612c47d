import { WhorlError } from '#contract/errors.js';

/**
 * Routes of the HTTP trigger (Spin's manifest: the rules of Spin's router, routefinder 0.5). Pure: the manifest's check and the trigger
 * that serves use this one implementation.
 *
 *   /users/42        exact
 *   /users/:id       one segment; `:name.:ext` works too, since a dot separates as well
 *   /files/...       the rest, also when it is empty (`/*` means the same)
 */

type Segment =
  | { kind: 'exact'; text: string }
  | { kind: 'param'; name: string }
  | { kind: 'wildcard' }
  | { kind: 'slash' }
  | { kind: 'dot' };

export interface ParsedRoute {
  /** With a leading slash, without a trailing one, the wildcard written `/...`. */
  route: string;
  segments: readonly Segment[];
}

export interface RouteEntry<T> {
  route: string;
  value: T;
}

export interface RouteMatch<T> {
  value: T;
  /** The route as `ParsedRoute.route` writes it. */
  route: string;
  /** What the wildcard stands for: '', '/', '/bar' or '/bar/'; '' without a wildcard. */
  trailing: string;
  /** The named segments, in order, as they stand in the path (not decoded). */
  params: [name: string, value: string][];
}

/** It becomes part of a header name, `spin-path-match-<name>`. */
const PARAM_NAME = /^[A-Za-z0-9_-]+$/;

/**
 * Parses one route. Throws BUNDLE_ROUTE_INVALID for a wildcard that is not last, a segment without a usable name, or characters that
 * no path of a request can hold.
 */
export function parseRoute(text: string): ParsedRoute {
  const refuse = (why: string) => new WhorlError('BUNDLE_ROUTE_INVALID', `route "${text}": ${why}`);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\s?#\u0000-\u001f\u007f]/.test(text)) throw refuse('must not hold blanks, control characters, "?" or "#"');
  const slashed = text.startsWith('/') ? text : `/${text}`;
  const wildcard = /\/(\.\.\.|\*)\/?$/.test(slashed);
  const fixed = slashed.replace(/\/(\.\.\.|\*)\/?$/, '').replace(/\/$/, '');
  const segments: Segment[] = [];
  for (const part of fixed.replace(/^\/+/, '').split(/([/.])/)) {
    if (part === '/') segments.push({ kind: 'slash' });
    else if (part === '.') segments.push({ kind: 'dot' });
    else if (part.startsWith(':')) segments.push({ kind: 'param', name: part.slice(1) });
    else if (part !== '') segments.push({ kind: 'exact', text: part });
  }
  for (const segment of segments) {
    if (segment.kind === 'param' && !PARAM_NAME.test(segment.name)) {
      throw refuse(segment.name === '' ? 'a ":" needs a name after it' : `":${segment.name}" is no name: use letters, digits, "_" and "-"`);
    }
    if (segment.kind === 'exact' && segment.text.startsWith('*')) throw refuse('a wildcard must be the last segment and stand alone');
  }
  if (fixed.split('/').includes('...')) throw refuse('a wildcard must be the last segment');
  if (wildcard) segments.push(...(segments.length > 0 ? [{ kind: 'slash' } as const] : []), { kind: 'wildcard' });
  return { route: `${fixed}${wildcard ? '/...' : ''}` || '/', segments };
}

/** Two routes with the same shape match the same paths: `/a/:x` and `/a/:y/`. */
export function routeShape({ segments }: ParsedRoute): string {
  const marks = { param: ':', wildcard: '*', slash: '/', dot: '.' } as const;
  return `/${segments.map((segment) => (segment.kind === 'exact' ? segment.text : marks[segment.kind])).join('')}`;
}

const RANK = { exact: 0, param: 1, wildcard: 2, slash: 3, dot: 3 } as const;

/**
 * Negative when `a` goes before `b`: segment by segment exact, then named, then wildcard; then the one with more dots, then the one
 * with fewer segments.
 */
export function compareRoutes(a: ParsedRoute, b: ParsedRoute): number {
  const shared = Math.min(a.segments.length, b.segments.length);
  for (let i = 0; i < shared; i++) {
    const order = RANK[a.segments[i]!.kind] - RANK[b.segments[i]!.kind];
    if (order !== 0) return order;
  }
  return dots(b) - dots(a) || a.segments.length - b.segments.length;
}

/**
 * Chooses the entry that answers a path. Of several with the same text the last one counts; of others that match a path, the most
 * specific one, then the earlier one. The constructor throws BUNDLE_ROUTE_INVALID.
 */
export class Routes<T> {
  /** Routes without names and wildcard, by trimmed path: nothing is more specific, so they are found without a search. */
  private readonly exact = new Map<string, { parsed: ParsedRoute; value: T }>();
  private readonly dynamic: { parsed: ParsedRoute; value: T }[] = [];

  constructor(entries: Iterable<RouteEntry<T>>) {
    const byText = new Map<string, T>();
    for (const { route, value } of entries) byText.set(route, value);
    for (const [text, value] of byText) {
      const parsed = parseRoute(text);
      if (parsed.segments.some(({ kind }) => kind === 'param' || kind === 'wildcard')) this.dynamic.push({ parsed, value });
      else if (!this.exact.has(routeShape(parsed).slice(1))) this.exact.set(routeShape(parsed).slice(1), { parsed, value });
    }
  }

  /** @param path as in the request, without the query; slashes at its ends do not count. */
  match(path: string): RouteMatch<T> | undefined {
    const trimmed = trimSlashes(path);
    const exact = this.exact.get(trimmed);
    if (exact) return { value: exact.value, route: exact.parsed.route, trailing: '', params: [] };
    // The order is no total one (it is for any set of routes that match one path), so the best is sought among those that match.
    let best: { parsed: ParsedRoute; value: T } | undefined;
    let captured: Captures | undefined;
    for (const entry of this.dynamic) {
      const captures = capture(entry.parsed.segments, trimmed);
      if (!captures || (best && compareRoutes(entry.parsed, best.parsed) >= 0)) continue;
      best = entry;
      captured = captures;
    }
    if (!best || !captured) return undefined;
    return { value: best.value, route: best.parsed.route, params: captured.params, trailing: trailing(captured.rest, path) };
  }
}

interface Captures {
  params: [name: string, value: string][];
  rest: string | undefined;
}

/** Matches the whole of a trimmed path, or nothing. */
function capture(segments: readonly Segment[], path: string): Captures | undefined {
  const params: [string, string][] = [];
  let at = 0;
  for (const [i, segment] of segments.entries()) {
    switch (segment.kind) {
      case 'exact':
        if (!path.startsWith(segment.text, at)) return undefined;
        at += segment.text.length;
        break;
      case 'dot':
        if (path[at] !== '.') return undefined;
        at++;
        break;
      case 'slash':
        // A wildcard also stands for nothing at all: /files/... matches /files.
        if (at === path.length && segments[i + 1]?.kind === 'wildcard') break;
        if (path[at] !== '/') return undefined;
        at++;
        break;
      case 'param': {
        const end = endOfParam(path, at, segments[i + 1]?.kind === 'dot');
        if (end === at) return undefined;
        params.push([segment.name, path.slice(at, end)]);
        at = end;
        break;
      }
      case 'wildcard':
        return { params, rest: path.slice(at) };
    }
  }
  return at === path.length ? { params, rest: undefined } : undefined;
}

function endOfParam(path: string, from: number, beforeDot: boolean): number {
  for (let i = from; i < path.length; i++) if (path[i] === '/' || (beforeDot && path[i] === '.')) return i;
  return path.length;
}

/** Spin keeps a trailing slash in `spin-path-info`, although it does not count for the match. */
function trailing(rest: string | undefined, path: string): string {
  if (rest === undefined) return '';
  const slash = path.endsWith('/');
  return rest === '' ? (slash ? '/' : '') : `/${rest}${slash ? '/' : ''}`;
}

function trimSlashes(path: string): string {
  let from = 0;
  let to = path.length;
  while (from < to && path[from] === '/') from++;
  while (to > from && path[to - 1] === '/') to--;
  return path.slice(from, to);
}

function dots({ segments }: ParsedRoute): number {
  return segments.filter(({ kind }) => kind === 'dot').length;
}
