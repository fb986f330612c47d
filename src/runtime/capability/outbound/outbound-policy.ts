import ipaddr from 'ipaddr.js';

/** Destination of an outbound connection, as a URL names it: scheme and host in lower case, IPv6 without brackets. */
export interface Destination {
  scheme: string;
  host: string;
  port: number | null;
}

type HostRule =
  | { kind: 'any' }
  | { kind: 'self' }
  | { kind: 'subdomain'; suffix: string }
  | { kind: 'name'; name: string }
  | { kind: 'network'; address: ipaddr.IPv4 | ipaddr.IPv6; bits: number };

interface Rule {
  scheme: string;
  host: HostRule;
  /** From, and up to but not including; null: any. */
  ports: readonly [number, number] | null;
}

/** An entry of `allowed_outbound_hosts` that allows nothing, and why. */
export interface InvalidEntry {
  entry: string;
  reason: string;
}

const WELL_KNOWN_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, postgres: 5432, mysql: 3306, redis: 6379, mqtt: 1883 };

/** What a template over empty variables leaves: no entry at all, not a mistake. */
const SKIPPED = new Set(['', 'http://', 'https://']);

export const CHAINING_SUFFIX = '.spin.internal';

/** `allowed_outbound_hosts` of one component (Spin, outbound-networking-config). Empty: nothing is allowed. */
export class OutboundPolicy {
  private constructor(private readonly rules: readonly Rule[], readonly invalid: readonly InvalidEntry[]) {}

  /** Bad entries allow nothing and are listed in `invalid`; templates are expanded before. */
  static parse(entries: readonly string[]): OutboundPolicy {
    const rules: Rule[] = [];
    const invalid: InvalidEntry[] = [];
    for (const entry of entries) {
      if (SKIPPED.has(entry.trim())) continue;
      const rule = parseEntry(entry.trim());
      if (typeof rule === 'string') invalid.push({ entry, reason: rule });
      else rules.push(rule);
    }
    return new OutboundPolicy(rules, invalid);
  }

  /** Whether some entry matches scheme, host and port. `self` matches no destination: see `allowsSelf`. */
  allows(to: Destination): boolean {
    const port = to.port ?? WELL_KNOWN_PORTS[to.scheme] ?? null;
    return this.rules.some(
      (rule) => (rule.scheme === '*' || rule.scheme === to.scheme) && matchesHost(rule.host, to.host) && matchesPort(rule.ports, port),
    );
  }

  /** Whether the component may send requests to its own app: relative URLs and `self.alt`. */
  allowsSelf(): boolean {
    return this.rules.some(
      (rule) => ['*', 'http', 'https'].includes(rule.scheme) && (rule.host.kind === 'any' || rule.host.kind === 'self'),
    );
  }
}

/** A rule, or what is wrong with the entry. */
function parseEntry(entry: string): Rule | string {
  if (entry === 'insecure:allow-all') return "is not allowed; use '*://*:*' to allow all outbound connections";
  const schemeEnd = entry.indexOf('://');
  if (schemeEnd < 0) return "has no scheme, such as 'http://' or '*://'";
  const scheme = entry.slice(0, schemeEnd);
  if (scheme.startsWith('{')) return 'lists schemes, which is not supported';
  if (scheme !== '*' && !/^[A-Za-z]+$/.test(scheme)) return 'has a scheme that is not alphabetic';
  const [hostText, portText] = splitPort(entry.slice(schemeEnd + 3));
  const host = parseHost(hostText);
  if (typeof host === 'string') return host;
  const ports = parsePorts(portText, scheme);
  if (typeof ports === 'string') return ports;
  return { scheme: scheme.toLowerCase(), host, ports };
}

/** The last colon begins the port, unless it is one of an IPv6 address in brackets. */
function splitPort(rest: string): [host: string, port: string] {
  const trimmed = rest.endsWith('/') ? rest.slice(0, -1) : rest;
  const colon = trimmed.lastIndexOf(':');
  return colon > trimmed.lastIndexOf(']') ? [trimmed.slice(0, colon), trimmed.slice(colon + 1)] : [trimmed, ''];
}

function parseHost(text: string): HostRule | string {
  const host = text.trim().toLowerCase();
  if (host === '') return 'has no host';
  if (host === '*') return { kind: 'any' };
  if (host === 'self' || host === 'self.alt') return { kind: 'self' };
  if (host.startsWith('{')) return 'lists hosts, which is not supported';
  if (host.includes('/')) return parseNetwork(host);
  if (host.startsWith('*.')) {
    const domain = host.slice(2);
    if (domain.includes('*') || domain === '') return 'has a wildcard in another place than in front';
    return { kind: 'subdomain', suffix: `.${domain}` };
  }
  if (host.includes('*')) return 'has a wildcard that is no whole subdomain';
  if (/[\s@?#\\]/.test(host)) return 'has a character that no host has';
  return { kind: 'name', name: canonicalHost(host) };
}

function parseNetwork(host: string): HostRule | string {
  const [address, bits, ...more] = host.replace(/^\[(.*)\]/, '$1').split('/');
  const parsed = address !== undefined && isLiteral(address) ? ipaddr.parse(address) : null;
  if (!parsed || more.length > 0) return 'has a path, which is not allowed';
  const max = parsed.kind() === 'ipv4' ? 32 : 128;
  if (bits === undefined || !/^\d{1,3}$/.test(bits) || Number(bits) > max) return `has a network whose prefix is not 0 to ${max}`;
  return { kind: 'network', address: parsed, bits: Number(bits) };
}

function parsePorts(text: string, scheme: string): readonly [number, number] | null | string {
  if (text === '*') return null;
  if (text === '') {
    const known = WELL_KNOWN_PORTS[scheme.toLowerCase()];
    return known === undefined ? `has no port, and scheme '${scheme}' has none by default` : [known, known + 1];
  }
  if (text.includes('/')) return 'has a path, which is not allowed';
  if (text.startsWith('{')) return 'lists ports, which is not supported';
  const range = /^(\d{1,5})(?:\.\.(\d{1,5}))?$/.exec(text);
  if (!range) return 'has a port that is not a number';
  const from = Number(range[1]);
  const to = range[2] === undefined ? from + 1 : Number(range[2]);
  return from > 65535 || to > 65536 ? 'has a port above 65535' : [from, to];
}

function matchesHost(rule: HostRule, host: string): boolean {
  switch (rule.kind) {
    case 'any': return true;
    case 'self': return false;
    case 'subdomain': return host.endsWith(rule.suffix) && host.length > rule.suffix.length;
    case 'name': return rule.name === host;
    case 'network': return isInNetwork(rule, host);
  }
}

function isInNetwork(rule: HostRule & { kind: 'network' }, host: string): boolean {
  if (!isLiteral(host)) return false;
  const address = ipaddr.parse(host);
  if (address.kind() !== rule.address.kind()) return false;
  return (address as ipaddr.IPv4).match(rule.address as ipaddr.IPv4, rule.bits);
}

function matchesPort(ports: readonly [number, number] | null, port: number | null): boolean {
  return ports === null || (port !== null && port >= ports[0] && port < ports[1]);
}

/** Four decimal parts or IPv6; `127.1` and `0x7f000001` are names here, and URLs have none of them left. */
export function isLiteral(host: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(host) || ipaddr.IPv6.isValid(host);
}

/** Lower case, without brackets and a final dot; addresses in their one short form. */
export function canonicalHost(host: string): string {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  return isLiteral(bare) ? ipaddr.parse(bare).toString() : bare;
}
