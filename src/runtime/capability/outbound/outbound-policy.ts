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
  /** `*.spin.internal`: every component of the app. */
  | { kind: 'components' }
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

  /**
   * Whether some entry matches scheme, host and port. `self` matches no destination: see `allowsSelf`; neither does `*.spin.internal`, which
   * stands for the components that there are: see `allowsComponents`.
   */
  allows(to: Destination): boolean {
    const host = canonicalHost(to.host);
    return this.rules.some((rule) => matchesSchemeAndPort(rule, to) && matchesHost(rule.host, host));
  }

  /** Whether every component of the app may be reached by such requests. */
  allowsComponents(to: Pick<Destination, 'scheme' | 'port'>): boolean {
    return this.rules.some((rule) => rule.host.kind === 'components' && matchesSchemeAndPort(rule, to));
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
  return { scheme, host, ports };
}

/** The last colon begins the port, unless it is one of an IPv6 address: in brackets, or of a network that ends the entry. */
function splitPort(rest: string): [host: string, port: string] {
  const colon = rest.lastIndexOf(':');
  if (colon <= rest.lastIndexOf(']') || typeof parseNetwork(rest) !== 'string') return [rest, ''];
  return [rest.slice(0, colon), rest.slice(colon + 1).replace(/\/$/, '')];
}

/** Wildcards and `self` stand alone, as they are; a name may end in `/`. */
function parseHost(text: string): HostRule | string {
  const host = text.trim();
  if (host === '*') return { kind: 'any' };
  if (host === 'self' || host === 'self.alt') return { kind: 'self' };
  if (host.startsWith('{')) return 'lists hosts, which is not supported';
  const network = parseNetwork(host);
  if (typeof network !== 'string') return network;
  const name = host.replace(/\/$/, '');
  if (name === '') return 'has no host';
  if (name.includes('/')) return network;
  if (name.startsWith('*.')) return parseWildcard(name.slice(2));
  if (name.includes('*')) return 'has a wildcard that is no whole subdomain';
  const literal = toLiteral(name);
  return literal === null ? 'has a character that no host has' : { kind: 'name', name: literal };
}

function parseWildcard(domain: string): HostRule | string {
  if (domain.includes('*') || domain === '') return 'has a wildcard in another place than in front';
  const literal = toLiteral(domain);
  if (literal === null) return 'has a character that no host has';
  if (isLiteral(literal)) return 'has a wildcard in front of an address';
  return `.${literal}` === CHAINING_SUFFIX ? { kind: 'components' } : { kind: 'subdomain', suffix: `.${literal}` };
}

/** A host as URLs write it; null: it is none. */
function toLiteral(name: string): string | null {
  if (/[\s/@?#\\]/.test(name)) return null;
  const bracketed = isLiteral(name) && name.includes(':') ? `[${name}]` : name;
  const url = URL.parse(`http://${bracketed}/`);
  return url && url.port === '' && url.hostname !== '' ? canonicalHost(url.hostname) : null;
}

/** `10.0.0.0/8`; why it is none. */
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
    const known = WELL_KNOWN_PORTS[scheme];
    return known === undefined ? `has no port, and scheme '${scheme}' has none by default` : [known, known + 1];
  }
  if (text.includes('/')) return 'has a path, which is not allowed';
  if (text.startsWith('{')) return 'lists ports, which is not supported';
  const range = /^(\d{1,5})(?:\.\.(\d{1,5}))?$/.exec(text);
  if (!range) return 'has a port that is not a number';
  const from = Number(range[1]);
  const to = range[2] === undefined ? from + 1 : Number(range[2]);
  return from > 65535 || (range[2] !== undefined && to > 65535) ? 'has a port above 65535' : [from, to];
}

function matchesSchemeAndPort(rule: Rule, { scheme, port }: Pick<Destination, 'scheme' | 'port'>): boolean {
  return (rule.scheme === '*' || rule.scheme === scheme) && matchesPort(rule.ports, port ?? WELL_KNOWN_PORTS[scheme] ?? null);
}

function matchesHost(rule: HostRule, host: string): boolean {
  switch (rule.kind) {
    case 'any': return true;
    case 'self':
    case 'components': return false;
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

/** Four decimal parts or IPv6: an address as it is written in the end. */
export function isLiteral(host: string): boolean {
  // for a name the library makes and catches an error, which costs more than all else here
  if (!host.includes(':') && !/^[\d.]+$/.test(host)) return false;
  return ipaddr.IPv4.isValidFourPartDecimal(host) || ipaddr.IPv6.isValid(host);
}

/** A host that the URL parser would write otherwise: an odd spelling of an address (`127.1`, `0x7f000001`), or a name in other letters. */
const ODD = /(^|\.)(\d+|0x[\da-f]*)$|[^a-z\d._-]/;

/** Lower case, without brackets and a final dot; addresses in their one short form, however they are spelled (WHATWG URL, host parsing). */
export function canonicalHost(host: string): string {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (isLiteral(bare)) return ipaddr.parse(bare).toString();
  return ODD.test(bare) && !/[\s/@?#\\:]/.test(bare) ? (URL.parse(`http://${bare}/`)?.hostname ?? bare) : bare;
}
