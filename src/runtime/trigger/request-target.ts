/** Where a request goes: the host that names the app, and the path and query in origin form. */
export interface RequestTarget {
  /** As the client sent it, with a port when there was one. */
  authority: string;
  /** Lower case, without port and trailing dot: what apps are looked up by. */
  host: string;
  pathWithQuery: string;
}

/** uri-host [ ":" port ] of RFC 9110 §7.2, without user information. */
const AUTHORITY = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::\d{0,5})?$/;

/**
 * Reads the target of a request (RFC 9112 §3.2, §3.3): exactly one valid Host, which an absolute-form target overrides. Returns
 * undefined for what has to be answered with 400.
 */
export function requestTarget(url: string, rawHeaders: readonly string[]): RequestTarget | undefined {
  let sent: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (sent !== undefined) return undefined;
    sent = rawHeaders[i + 1]!;
  }
  if (sent === undefined) return undefined;
  if (url.startsWith('/')) return target(sent, url);
  if (url === '*') return target(sent, '/');
  const absolute = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(url);
  if (!absolute) return undefined;
  const rest = absolute[2]!;
  return target(absolute[1]!, rest.startsWith('/') ? rest : `/${rest}`);
}

function target(authority: string, pathWithQuery: string): RequestTarget | undefined {
  const match = AUTHORITY.exec(authority);
  if (!match) return undefined;
  const host = match[1]!.toLowerCase();
  return { authority, host: host.endsWith('.') ? host.slice(0, -1) : host, pathWithQuery };
}
