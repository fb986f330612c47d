import type { Headers, HttpExchange } from '#runtime/capability/guest.js';

/**
 * CGI as WAGI has it (Spin's HTTP trigger, RFC 3875): a request becomes environment variables and arguments, what the component writes to
 * stdout becomes the answer. Pure.
 */

/** Never shown to a component: RFC 3875, section 4.1.18, and Spin. */
const HIDDEN: ReadonlySet<string> = new Set(['authorization', 'connection']);
/** Variables made from the headers that the trigger puts in. */
const FROM_SPIN: readonly (readonly [variable: string, header: string])[] = [
  ['X_FULL_URL', 'spin-full-url'],
  ['PATH_INFO', 'spin-path-info'],
  ['X_MATCHED_ROUTE', 'spin-matched-route'],
  ['X_COMPONENT_ROUTE', 'spin-component-route'],
  ['X_RAW_COMPONENT_ROUTE', 'spin-raw-component-route'],
  ['X_BASE_PATH', 'spin-base-path'],
  ['X_CLIENT_ADDR', 'spin-client-addr'],
];

const variableName = (header: string) => header.toUpperCase().replaceAll('-', '_');

/** The environment of one request. */
export function toCgiEnvironment(exchange: HttpExchange): [string, string][] {
  const headers = new Map<string, string>();
  for (const [name, value] of exchange.headers) {
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  const header = (name: string) => headers.get(name) ?? '';
  const [path = '/', query = ''] = splitOnce(exchange.pathWithQuery, '?');
  const [, hostName = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(exchange.authority) ?? [];
  const client = header('spin-client-addr').replace(/:\d+$/, '');
  const variables: [string, string][] = [
    ...FROM_SPIN.map(([variable, name]): [string, string] => [variable, header(name)]),
    ['AUTH_TYPE', ''],
    ['CONTENT_LENGTH', header('content-length')],
    ['CONTENT_TYPE', header('content-type')],
    ['GATEWAY_INTERFACE', 'CGI/1.1'],
    ['QUERY_STRING', query],
    ['REMOTE_ADDR', client],
    ['REMOTE_HOST', client],
    ['REMOTE_USER', ''],
    ['REQUEST_METHOD', exchange.method],
    ['SCRIPT_NAME', header('spin-component-route')],
    ['X_RAW_PATH_INFO', path],
    ['PATH_TRANSLATED', header('spin-path-info')],
    ['SERVER_NAME', hostName],
    ['SERVER_PORT', port || (exchange.scheme === 'https' ? '443' : '80')],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['SERVER_SOFTWARE', 'WAGI/1'],
  ];
  for (const [name, value] of headers) {
    if (name.startsWith('spin-path-match-')) variables.push([`X_PATH_MATCH_${variableName(name.slice(16))}`, value]);
    else if (!HIDDEN.has(name)) variables.push([`HTTP_${variableName(name)}`, value]);
  }
  return variables;
}

/** Arguments from the executor's template: `${SCRIPT_NAME}`, and `${ARGS}` for the words of the query (RFC 3875, section 4.4). */
export function toCgiArguments(template: string, scriptName: string, query: string): string[] {
  const words = query === '' ? [] : query.split(/[+&]/).map(decodeWord);
  return template.split(' ').flatMap((part) => {
    if (part === '') return [];
    if (part === '${ARGS}') return words;
    return [part.replaceAll('${SCRIPT_NAME}', scriptName).replaceAll('${ARGS}', words.join(' '))];
  });
}

export interface CgiHead {
  status: number;
  headers: Headers;
}

/** Longest head; a component that writes more without an empty line writes no head. */
export const MAX_CGI_HEAD_BYTES = 64 * 1024;

/** Where the body begins in what was written so far; -1: the empty line is still to come. */
export function cgiBodyStart(bytes: Buffer): number {
  let line = 0;
  for (;;) {
    const end = bytes.indexOf(10, line);
    if (end < 0) return -1;
    if (end === line || (end === line + 1 && bytes[line] === 13)) return end + 1;
    line = end + 1;
  }
}

/**
 * Reads the head. Throws an Error that says why it is none: no content-type, status or location (500), and for a bad status the
 * property `status` is 502.
 */
export function parseCgiHead(text: string): CgiHead {
  const headers: [string, string][] = [];
  let status: number | undefined;
  let located = false;
  let typed = false;
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).trim();
    const value = line.slice(colon + 1).trim();
    const key = name.toLowerCase();
    if (key === 'status') {
      status = parseStatus(value);
      continue;
    }
    located ||= key === 'location';
    typed ||= key === 'content-type';
    headers.push([name, value]);
  }
  if (status === undefined && !located && !typed) throw new Error('the component wrote no content-type, status or location');
  return { status: status ?? (located ? 302 : 200), headers };
}

function parseStatus(value: string): number {
  const status = Number(/^(\d{3})(?:\s|$)/.exec(value)?.[1]);
  if (status >= 200 && status <= 599) return status;
  throw Object.assign(new Error(`the component wrote the status ${JSON.stringify(value)}`), { status: 502 });
}

function decodeWord(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
