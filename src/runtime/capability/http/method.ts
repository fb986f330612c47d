/** `method` and `scheme` of wasi:http/types, and the checks their setters make. */
export type Method = { tag: string; val?: string };
export type Scheme = { tag: 'HTTP' | 'HTTPS' } | { tag: 'other'; val: string };

const NAMED = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];
const TO_METHOD = new Map<string, Method>(NAMED.map((name) => [name, { tag: name.toLowerCase() }]));

export const GET: Method = TO_METHOD.get('GET')!;
export const HTTP: Scheme = { tag: 'HTTP' };

/** RFC 9110, section 5.6.2: token. */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function methodOf(name: string): Method {
  return TO_METHOD.get(name) ?? { tag: 'other', val: name };
}

/** As it stands in the request line; null: not a method. */
export function methodName(method: Method): string | null {
  if (method.tag !== 'other') return method.tag.toUpperCase();
  return method.val !== undefined && TOKEN.test(method.val) ? method.val : null;
}

/** Lower-case name; null: not a scheme (RFC 3986, section 3.1). */
export function schemeName(scheme: Scheme): string | null {
  if (scheme.tag !== 'other') return scheme.tag.toLowerCase();
  return /^[A-Za-z][A-Za-z0-9+\-.]*$/.test(scheme.val) ? scheme.val.toLowerCase() : null;
}

/** Origin form, `*`, or a query alone (RFC 9112, section 3.2); fragments and bytes outside printable ASCII are no part of it. */
export function isPathWithQuery(path: string): boolean {
  return path === '' || path === '*' || (/^[/?]/.test(path) && /^[\x21\x22\x24-\x7e]*$/.test(path));
}

const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]+)(?::(\d{0,5}))?$/;

/** host[:port] without user information (RFC 9110, section 4.2.4 deprecates it). */
export function isAuthority(authority: string): boolean {
  const parsed = AUTHORITY.exec(authority);
  return parsed !== null && Number(parsed[1] ?? 0) <= 65_535;
}
