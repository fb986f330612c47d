export interface MysqlAddress {
  host: string;
  /** null: none is written, which is 3306. */
  port: number | null;
  user: string;
  password: string;
  database: string;
  /** TLS, with the certificate and its name checked. */
  tls: boolean;
}

/** What is wrong with an address, in words for the guest. */
export class BadAddress extends Error {
  override name = 'BadAddress';
}

export const DEFAULT_MYSQL_PORT = 3306;

/** Settings of Spin's client alone: the platform has its own pool and timeouts. */
const IGNORED = new Set([
  'pool_min', 'pool_max', 'inactive_connection_ttl', 'ttl_check_interval', 'conn_ttl', 'abs_conn_ttl', 'abs_conn_ttl_jitter', 'stmt_cache_size',
  'max_allowed_packet', 'wait_timeout', 'tcp_keepalive', 'tcp_nodelay', 'prefer_socket', 'compression', 'secure_auth', 'reset_connection',
  'client_found_rows', 'verify_ca', 'verify_identity', 'built_in_roots',
]);
const SSL_MODES = new Set(['ssl-mode', 'sslmode']);

/**
 * Parses `mysql://user:password@host:port/database?ssl-mode=…`. TLS is used when `ssl-mode` (or `sslMode`) is there and is not `disabled`, as in
 * Spin. Throws BadAddress.
 */
export function parseMysqlAddress(text: string): MysqlAddress {
  const url = URL.parse(text);
  if (!url) throw new BadAddress('the address is no URL');
  if (url.protocol !== 'mysql:') throw new BadAddress(`URL scheme \`${url.protocol.slice(0, -1)}\` is not supported`);
  if (url.hostname === '') throw new BadAddress('the address has no host');
  let tls = false;
  for (const [key, value] of url.searchParams) {
    if (SSL_MODES.has(key.toLowerCase())) tls ||= value.toLowerCase() !== 'disabled';
    else if (key === 'require_ssl') tls ||= value === 'true';
    else if (!IGNORED.has(key)) throw new BadAddress(`Unknown URL connection parameter \`${key}\``);
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? null : Number(url.port),
    user: decode(url.username),
    password: decode(url.password),
    database: decode(url.pathname.replace(/^\//, '')),
    tls,
  };
}

function decode(text: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // said below
  }
  throw new BadAddress('the address has a part that cannot be decoded');
}
