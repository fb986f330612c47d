import { isIPv4, isIPv6 } from 'node:net';

const WELL_KNOWN_SCHEMES = new Set(['http', 'https', 'postgres', 'mysql', 'redis', 'mqtt']);

/**
 * Checks the syntax of one entry of `allowed_outbound_hosts`, `scheme://host[:port]` (Spin's manifest). Returns why it is refused, or
 * undefined. What it allows is decided where guests run; entries with templates are checked there too, once their values are known.
 */
export function checkOutboundHost(entry: string): string | undefined {
  const separator = entry.indexOf('://');
  if (separator < 0) return 'expected scheme://host[:port], such as https://api.example.com';
  const scheme = entry.slice(0, separator);
  if (scheme !== '*' && !/^[A-Za-z]+$/.test(scheme)) return `"${scheme}" is no scheme: expected letters or "*"`;
  const { host, port, rest } = split(entry.slice(separator + 3));
  if (rest !== '' && rest !== '/') return 'a path is not allowed after the host';
  return checkHost(host) ?? checkPort(port, scheme.toLowerCase());
}

/** `rest` begins with the first `/` that belongs neither to a CIDR block nor to the port. */
function split(text: string): { host: string; port: string | undefined; rest: string } {
  const bracketed = /^(\[[^\]]*\](?:\/\d+)?)(?::([^/]*))?(.*)$/.exec(text);
  const cidr = /^([0-9A-Fa-f.:]+\/\d+)(?::([^/]*))?(.*)$/.exec(text);
  const plain = /^([^/:]*)(?::([^/]*))?(.*)$/.exec(text)!;
  const [, host, port, rest] = bracketed ?? cidr ?? plain;
  return { host: host!, port, rest: rest! };
}

function checkHost(host: string): string | undefined {
  if (host === '') return 'the host is missing';
  if (host === '*' || host === 'self' || host === 'self.alt') return undefined;
  const [address, prefix] = host.replace(/^\[|\]/g, '').split('/') as [string, string?];
  if (prefix !== undefined) {
    const maxBits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0;
    return Number(prefix) <= maxBits && maxBits > 0 ? undefined : `"${host}" is no CIDR block`;
  }
  if (host.startsWith('[')) return isIPv6(address) ? undefined : `"${host}" is no IPv6 address`;
  if (/^[\d.]+$/.test(host)) return isIPv4(host) ? undefined : `"${host}" is no IPv4 address`;
  const domain = host.startsWith('*.') ? host.slice(2) : host;
  if (domain.includes('*')) return `"${host}": "*" may only stand for the whole host or before the first dot`;
  // An underscore is no part of a host name by RFC 1123, yet names of services use it.
  const label = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_-]{0,61}[\p{L}\p{N}_])?$/u;
  return domain.length <= 253 && domain.split('.').every((part) => label.test(part)) ? undefined : `"${host}" is no host name`;
}

function checkPort(port: string | undefined, scheme: string): string | undefined {
  if (port === undefined) return WELL_KNOWN_SCHEMES.has(scheme) ? undefined : `a port is needed, since the scheme "${scheme}" has no well-known one`;
  if (port === '*') return undefined;
  const isPort = (text: string) => /^\d{1,5}$/.test(text) && Number(text) <= 65535;
  const range = /^(\d+)\.\.(\d+)$/.exec(port);
  if (range) return isPort(range[1]!) && Number(range[2]) <= 65536 && Number(range[1]) < Number(range[2]) ? undefined : `"${port}" is no range of ports (from..to, to not included)`;
  return isPort(port) ? undefined : `"${port}" is no port: expected a number, a range from..to, or "*"`;
}

/**
 * Converts the deprecated `allowed_http_hosts` (Spin's manifest). Returns the entries of `allowed_outbound_hosts` that mean the same, or why
 * the host is refused.
 */
export function convertHttpHost(host: string): { hosts: string[] } | { refused: string } {
  if (host === 'insecure:allow-all') return { hosts: ['http://*:*', 'https://*:*', 'http://self'] };
  if (host === 'self') return { hosts: ['http://self'] };
  const bare = host.replace(/^https?:\/\//, '').replace(/\/$/, '');
  const hosts = [`http://${bare}`, `https://${bare}`];
  const refused = bare.includes('://') ? 'expected a host name, with or without a port' : checkOutboundHost(hosts[0]!);
  return refused ? { refused } : { hosts };
}
