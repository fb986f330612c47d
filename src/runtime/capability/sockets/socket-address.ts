import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

export type Family = 'ipv4' | 'ipv6';

/** `ip-address` of wasi:sockets, in both versions. */
export type IpAddress = { tag: 'ipv4'; val: readonly number[] } | { tag: 'ipv6'; val: readonly number[] };

/** `ip-socket-address` of wasi:sockets, in both versions. */
export type IpSocketAddress =
  | { tag: 'ipv4'; val: { port: number; address: readonly number[] } }
  | { tag: 'ipv6'; val: { port: number; flowInfo: number; address: readonly number[]; scopeId: number } };

/** An address in text, in its one short form. */
export interface Endpoint {
  address: string;
  port: number;
}

export function toEndpoint({ tag, val }: IpSocketAddress): Endpoint {
  const parts = [...val.address];
  return { address: (tag === 'ipv4' ? new ipaddr.IPv4(parts) : new ipaddr.IPv6(parts)).toString(), port: val.port };
}

export function toSocketAddress({ address, port }: Endpoint): IpSocketAddress {
  const ip = toIpAddress(address);
  return ip.tag === 'ipv4' ? { tag: 'ipv4', val: { port, address: ip.val } } : { tag: 'ipv6', val: { port, flowInfo: 0, address: ip.val, scopeId: 0 } };
}

export function toIpAddress(text: string): IpAddress {
  const parsed = ipaddr.parse(text.replace(/%.*$/, ''));
  return parsed.kind() === 'ipv4' ? { tag: 'ipv4', val: (parsed as ipaddr.IPv4).octets } : { tag: 'ipv6', val: (parsed as ipaddr.IPv6).parts };
}

export const isUnspecified = ({ address }: Endpoint): boolean => address === '0.0.0.0' || address === '::';

/** Whether it is one that can be spoken to (wasi:sockets, `start-connect`): no wildcard, no port 0, no IPv4 inside IPv6, one receiver. */
export function isRemote(to: Endpoint): boolean {
  const ip = ipaddr.parse(to.address);
  const isMapped = ip.kind() === 'ipv6' && (ip as ipaddr.IPv6).isIPv4MappedAddress();
  return to.port !== 0 && !isUnspecified(to) && !isMapped && !['multicast', 'broadcast'].includes(ip.range());
}

/** As URLs and manifests write it. */
export const authorityOf = ({ address, port }: Endpoint): string => `${isIPv6(address) ? `[${address}]` : address}:${port}`;
