import ipaddr from 'ipaddr.js';

/** Why a guest may not connect to an address; null: it may. */
export type AddressFault = 'never' | 'private' | 'blocked' | null;

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Instance metadata that lies outside the link-local range: AWS (IPv6), Google (IPv6), Alibaba, Azure, Oracle. */
const METADATA: ReadonlySet<string> = new Set(
  ['fd00:ec2::254', 'fd20:ce::254', '100.100.100.200', '168.63.129.16', '192.0.0.192'].map((text) => ipaddr.parse(text).toString()),
);

/** Ranges (names of ipaddr.js) that an operator may open. Everything else that is not `unicast` stays closed. */
const PRIVATE: ReadonlySet<string> = new Set(['loopback', 'private', 'uniqueLocal', 'carrierGradeNat']);

/**
 * The platform's rule for the address that a connection is about to be made to: metadata, link-local, multicast and reserved addresses
 * never, private and loopback ones only when the operator grants them, and none of `blockNetworks` (an address, CIDR, or `private` for all
 * that are not public; Spin's `block_networks`). IPv4 inside IPv6 (mapped, 6to4, NAT64, Teredo) is judged as what it leads to.
 */
export function addressFault(text: string, allowPrivate: boolean, blockNetworks: readonly string[] = []): AddressFault {
  const bare = text.replace(/%.*$/, '');
  if (!ipaddr.isValid(bare)) return 'never';
  const address = ipaddr.parse(bare);
  const target = leadsTo(address);
  const fault = faultOf(target, allowPrivate);
  if (fault !== null || blockNetworks.length === 0) return fault;
  return isBlocked(address, blockNetworks) || isBlocked(target, blockNetworks) ? 'blocked' : null;
}

function faultOf(address: Address, allowPrivate: boolean): AddressFault {
  if (METADATA.has(address.toString())) return 'never';
  const range = address.range();
  if (range === 'unicast') return null;
  if (PRIVATE.has(range)) return allowPrivate ? null : 'private';
  return 'never';
}

type Block = (address: Address) => boolean;

const parsed = new WeakMap<readonly string[], readonly Block[]>();

function isBlocked(address: Address, networks: readonly string[]): boolean {
  let blocks = parsed.get(networks);
  if (!blocks) parsed.set(networks, (blocks = networks.map(toBlock)));
  return blocks.some((block) => block(address));
}

/** An entry that cannot be read blocks everything: what was meant to be closed must not be open. */
function toBlock(entry: string): Block {
  if (entry === 'private') return (address) => address.range() !== 'unicast';
  if (!ipaddr.isValid(entry) && !ipaddr.isValidCIDR(entry)) return () => true;
  const [network, bits] = ipaddr.isValid(entry) ? [ipaddr.parse(entry), null] : ipaddr.parseCIDR(entry);
  const prefix = bits ?? (network.kind() === 'ipv4' ? 32 : 128);
  return (address) => address.kind() === network.kind() && (address as ipaddr.IPv4).match(network as ipaddr.IPv4, prefix);
}

/** The IPv4 address inside an IPv6 one; itself when there is none. */
function leadsTo(address: Address): Address {
  if (address.kind() === 'ipv4') return address;
  const v6 = address as ipaddr.IPv6;
  const { parts } = v6;
  if (v6.isIPv4MappedAddress()) return v6.toIPv4Address();
  if (parts[0] === 0x2002) return fromWords(parts[1]!, parts[2]!);
  if (parts[0] === 0x64 && parts[1] === 0xff9b) return fromWords(parts[6]!, parts[7]!);
  if (parts[0] === 0x2001 && parts[1] === 0) return fromWords(parts[6]! ^ 0xffff, parts[7]! ^ 0xffff);
  // ::a.b.c.d, long out of use (RFC 4291, section 2.5.5.1); ::1 is the loopback address itself
  if (parts.slice(0, 6).every((part) => part === 0) && parts[6]! !== 0) return fromWords(parts[6]!, parts[7]!);
  return v6;
}

function fromWords(high: number, low: number): ipaddr.IPv4 {
  return new ipaddr.IPv4([high >> 8, high & 0xff, low >> 8, low & 0xff]);
}
