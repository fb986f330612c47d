/** `host` or `host:port` (RFC 3986, section 3.2.2, without what no app's host can hold). */
const AUTHORITY = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i;

/** Whom a request is for. */
export interface RequestTarget {
  authority: string;
  pathWithQuery: string;
}

/**
 * The authority that a request is for, and its target in origin form. An absolute target counts more than Host (RFC 9112, section
 * 3.2.2). undefined: Host is missing, there several times, or damaged, which is answered with 400 (RFC 9112, section 3.2).
 */
export function readTarget(url: string, rawHeaders: readonly string[]): RequestTarget | undefined {
  let host: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (host !== undefined) return undefined;
    host = rawHeaders[i + 1]!;
  }
  if (host === undefined || !AUTHORITY.test(host)) return undefined;
  if (url.startsWith('/') || url === '*') return { authority: host, pathWithQuery: url };
  const absolute = /^https?:\/\/([^/?#]+)([^#]*)/i.exec(url);
  if (!absolute || !AUTHORITY.test(absolute[1]!)) return undefined;
  const rest = absolute[2]!;
  return { authority: absolute[1]!, pathWithQuery: rest.startsWith('/') ? rest : `/${rest}` };
}

/** The name that hosts of apps are looked up by: lower case, no port, no root dot. */
export function toHostName(authority: string): string {
  const colon = authority.lastIndexOf(':');
  // In an address in brackets the last colon is no port's.
  const end = colon < 0 || authority.endsWith(']') ? authority.length : colon;
  return authority.slice(0, end > 0 && authority[end - 1] === '.' ? end - 1 : end).toLowerCase();
}
