import { isIP } from 'node:net';

export type SslMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** One server of an address. `port` null: none is written, which is 5432. */
export interface PgHost {
  host: string;
  port: number | null;
}

export interface PgAddress {
  /** Tried in order until one answers. */
  hosts: readonly PgHost[];
  user: string;
  password: string | null;
  database: string;
  sslMode: SslMode;
  /** Of the server that is wanted. */
  writable: 'any' | 'read-write' | 'read-only';
  /** Startup parameters: `application_name`, `options`. */
  startup: Readonly<Record<string, string>>;
}

/** What is wrong with an address, in words for the guest; never with its password. */
export class BadAddress extends Error {
  override name = 'BadAddress';
}

export const DEFAULT_PG_PORT = 5432;

const SSL_MODES = new Set<string>(['disable', 'prefer', 'require', 'verify-ca', 'verify-full']);
const TARGETS = new Set<string>(['any', 'read-write', 'read-only']);
const STARTUP = new Set(['application_name', 'options']);
/** Settings of the client alone: the platform has its own timeouts, and sockets without files. */
const IGNORED = new Set([
  'connect_timeout', 'tcp_user_timeout', 'keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_retries', 'channel_binding', 'load_balance_hosts',
]);

/**
 * Parses an address in either form of libpq: a URL (`postgres://user:password@host:port,host:port/database?sslmode=…`) or
 * `host=… port=… user=…` (PostgreSQL, 34.1.1 "Connection Strings"). Nothing is taken from the process's environment.
 * Throws BadAddress.
 */
export function parsePgAddress(text: string): PgAddress {
  if (text.includes('\0') || text.includes('%00')) throw new BadAddress('invalid connection string: embedded null');
  const url = /^postgres(?:ql)?:\/\//i.exec(text);
  return fromParameters(url ? parametersOfUrl(text.slice(url[0].length)) : parametersOfText(text));
}

type Parameters = Map<string, string>;

function fromParameters(given: Parameters): PgAddress {
  for (const key of given.keys()) {
    if (!KNOWN.has(key)) throw new BadAddress(`invalid connection string: unknown option \`${key}\``);
  }
  const hosts = hostsOf(given);
  const user = given.get('user');
  if (!user) throw new BadAddress('invalid configuration: user missing');
  const sslMode = oneOf('sslmode', given.get('sslmode') ?? 'prefer', SSL_MODES) as SslMode;
  const writable = oneOf('target_session_attrs', given.get('target_session_attrs') ?? 'any', TARGETS) as PgAddress['writable'];
  const startup = Object.fromEntries([...given].filter(([key]) => STARTUP.has(key)));
  return { hosts, user, password: given.get('password') ?? null, database: given.get('dbname') || user, sslMode, writable, startup };
}

const KNOWN = new Set(['host', 'port', 'user', 'password', 'dbname', 'sslmode', 'target_session_attrs', ...STARTUP, ...IGNORED]);

function oneOf(key: string, value: string, values: ReadonlySet<string>): string {
  if (!values.has(value)) throw new BadAddress(`invalid connection string: invalid value for option \`${key}\``);
  return value;
}

/** As many ports as hosts, or one for all. */
function hostsOf(given: Parameters): PgHost[] {
  const names = given.get('host')?.split(',') ?? [];
  if (names.length === 0) throw new BadAddress('invalid configuration: host missing');
  const ports = given.get('port')?.split(',') ?? [];
  if (ports.length > 1 && ports.length !== names.length) throw new BadAddress('invalid configuration: invalid number of ports');
  return names.map((name, at) => {
    const host = name.replace(/^\[(.*)\]$/, '$1');
    if (host === '' || host.startsWith('/') || host.startsWith('@')) throw new BadAddress('Unix sockets are not supported on WebAssembly');
    if (!isIP(host) && !/^[A-Za-z0-9._-]+$/.test(host)) throw new BadAddress('invalid connection string: invalid value for option `host`');
    return { host, port: portOf(ports.length === 1 ? ports[0] : ports[at]) };
  });
}

function portOf(text: string | undefined): number | null {
  if (text === undefined || text === '') return null;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port === 0 || port > 65_535) throw new BadAddress('invalid connection string: invalid value for option `port`');
  return port;
}

/** `rest` is what follows `postgres://`. A URL always has a port: 5432 unless one is written. */
function parametersOfUrl(rest: string): Parameters {
  const given: Parameters = new Map();
  const [beforeQuery, query] = split(rest, '?');
  const [authority, database] = split(beforeQuery, '/');
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const [user, password] = split(authority.slice(0, at), ':');
    given.set('user', decode(user));
    if (password !== null) given.set('password', decode(password));
  }
  const hosts = authority.slice(at + 1);
  if (hosts !== '') {
    const parts = hosts.split(',').map((part) => /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(part) ?? invalidUrl());
    given.set('host', parts.map(([, host]) => decode(host!)).join(','));
    given.set('port', parts.map(([, , port]) => decode(port || String(DEFAULT_PG_PORT))).join(','));
  }
  if (database) given.set('dbname', decode(database));
  for (const pair of query?.split('&') ?? []) {
    const [key, value] = split(pair, '=');
    if (value === null) invalidUrl();
    given.set(decode(key), decode(value!));
  }
  return given;
}

function split(text: string, separator: string): [string, string | null] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

function invalidUrl(): never {
  throw new BadAddress('invalid connection string: the URL cannot be parsed');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return invalidUrl();
  }
}

/** `key = value` pairs; a value in single quotes may hold spaces, and a backslash escapes the character after it. */
function parametersOfText(text: string): Parameters {
  const given: Parameters = new Map();
  const pair = /\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\[^])*)'|((?:[^\s'\\]|\\[^])*))(?=\s|$)/y;
  const end = text.trimEnd().length;
  while (pair.lastIndex < end) {
    const found = pair.exec(text);
    if (!found) throw new BadAddress('invalid connection string: expected `key=value` pairs');
    given.set(found[1]!, (found[2] ?? found[3]!).replace(/\\([^])/g, '$1'));
  }
  return given;
}
