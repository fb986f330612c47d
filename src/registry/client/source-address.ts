import type { LookupFunction } from 'node:net';
import { WhorlError } from '#contract/errors.js';
import { checkedLookup as checked } from '#platform/http/reachable-address.js';

/** Resolves names for fetches of the registry's; throws REGISTRY_SOURCE_REFUSED for one with an address that may not be fetched from. */
export function checkedLookup(allowPrivate: boolean): LookupFunction {
  return checked(allowPrivate, (hostname, address) => new WhorlError('REGISTRY_SOURCE_REFUSED', `${hostname} is ${address}, an address that may not be fetched from`));
}
