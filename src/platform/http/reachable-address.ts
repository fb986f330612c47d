import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

const PRIVATE_RANGES = new Set(['private', 'loopback', 'uniqueLocal']);
/** Cloud metadata within a range that an operator may allow. */
const METADATA = new Set(['fd00:ec2::254']);

/**
 * Whether the control plane may connect to an address that a user named: public ones; private ones and the loopback only when the operator allows
 * it; link-local ones (cloud metadata) never.
 */
export function isAllowedAddress(address: string, allowPrivate: boolean): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  const range = parsed.range();
  if (METADATA.has(parsed.toString())) return false;
  return range === 'unicast' || (allowPrivate && PRIVATE_RANGES.has(range));
}

/** A name resolver for sockets that refuses a name when any of its addresses is not allowed: what is checked is what is connected to. */
export function checkedLookup(allowPrivate: boolean, refuse: (hostname: string, address: string) => Error): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const refused = addresses.find(({ address }) => !isAllowedAddress(address, allowPrivate));
      if (refused) return callback(refuse(hostname, refused.address), []);
      if (options.all) return callback(null, addresses);
      return callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}
