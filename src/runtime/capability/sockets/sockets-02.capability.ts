import { perSlot, plain, type Capability } from '../capability.js';
import { RC_2023_10_18, RC_2023_11_10 } from '../versions.js';
import { NameLookup } from './name-lookup.js';
import { CANDIDATE_TCP, CANDIDATE_UDP, IPV6_ONLY_TCP, IPV6_ONLY_UDP } from './sockets-candidates.js';
import type { Family } from './socket-address.js';
import { asEnum, guarded } from './socket-functions.js';
import { CREATE_TCP, TCP_02 } from './tcp-02.js';
import { CREATE_UDP, UDP_02 } from './udp-02.js';

/** `network`: there is one, and what it may be used for is decided at each use. */
const NETWORK = {};

const stream: Capability['functions'] = {
  '[method]resolve-address-stream.resolve-next-address': plain(guarded(asEnum, (lookup: NameLookup) => lookup.take())),
  '[method]resolve-address-stream.subscribe': plain((lookup: NameLookup) => lookup),
  '[resource-drop]resolve-address-stream': plain((lookup: NameLookup) => lookup.close()),
};

const lookup: Capability['functions'] = {
  'resolve-addresses': perSlot((state) => guarded(asEnum, (_network: object, name: string) => new NameLookup(state, name))),
  ...stream,
};

/** The oldest candidate asks for one family of addresses, or for both. */
const lookupByFamily: Capability['functions'] = {
  'resolve-addresses': perSlot((state) => guarded(asEnum, (_network: object, name: string, family: Family | undefined) => new NameLookup(state, name, family ?? null))),
  ...stream,
};

function atVersion(version: string, own: { tcp: Capability['functions']; udp: Capability['functions']; lookup: Capability['functions'] }): Capability[] {
  const functions: Readonly<Record<string, Capability['functions']>> = {
    'instance-network': { 'instance-network': plain(() => NETWORK) },
    network: {},
    'ip-name-lookup': own.lookup,
    tcp: own.tcp,
    'tcp-create-socket': CREATE_TCP,
    udp: own.udp,
    'udp-create-socket': CREATE_UDP,
  };
  return Object.entries(functions).map(([name, each]) => ({ name: `wasi:sockets/${name}`, version, functions: each }));
}

/** `wasi:sockets` of the 0.2 line, and the candidates that Spin links beside it. */
export const SOCKETS_02: readonly Capability[] = [
  ...atVersion('0.2', { tcp: TCP_02, udp: UDP_02, lookup }),
  ...atVersion(RC_2023_11_10, { tcp: { ...TCP_02, ...IPV6_ONLY_TCP }, udp: { ...UDP_02, ...IPV6_ONLY_UDP }, lookup }),
  ...atVersion(RC_2023_10_18, { tcp: CANDIDATE_TCP, udp: CANDIDATE_UDP, lookup: lookupByFamily }),
];
