import { canonicalHost } from '../outbound/outbound-policy.js';

export interface RedisAddress {
  scheme: 'redis' | 'rediss';
  host: string;
  port: number;
  username: string | null;
  password: string | null;
  db: number;
}

const DEFAULT_PORT = 6379;
const PROTOCOLS: ReadonlySet<string | null> = new Set([null, 'resp2', '2', 'resp3', '3']);

/**
 * Reads `redis[s]://[[user]:password@]host[:port][/db][?protocol=resp3]` as the client of Spin's host does (redis-rs, `IntoConnectionInfo`):
 * parts of the user information may be percent-encoded. null: it is no such address. What names a socket file is none. `protocol` is taken
 * and does not matter: all that the interface can give of RESP3 is the same in RESP2.
 */
export function parseRedisAddress(text: string): RedisAddress | null {
  const url = parseUrl(text);
  if (!url || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) return null;
  const db = /^\/?(\d{0,9})$/.exec(url.pathname);
  if (url.hostname === '' || !db || url.hash !== '' || url.port === '0') return null;
  if (!PROTOCOLS.has(url.searchParams.get('protocol'))) return null;
  const username = decode(url.username);
  const password = decode(url.password);
  if (username === null || password === null) return null;
  return {
    scheme: url.protocol === 'rediss:' ? 'rediss' : 'redis',
    host: canonicalHost(url.hostname),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    username: username === '' ? null : username,
    password: password === '' ? null : password,
    db: Number(db[1]),
  };
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
