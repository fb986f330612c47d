import { Err, type HostBinding, type HostFunction, Trap } from '#engine/run/host.js';
import { plain } from './capability.js';
import type { GuestState } from './guest.js';
import type { Request03 } from './http/message-03.js';
import type { OutgoingRequest } from './http/outgoing-02.js';
import { RC_2023_10_18 } from './versions.js';

/**
 * What a dependency gets that asks for what it does not inherit: the answers of Spin's deny-all adapter. Interfaces stand here without
 * their versions; a function that does not cannot be reached, since what it works on was never given, and traps.
 */

/** Answers that say so in the interface's own words. Nothing of the app's grants is looked at. */
const ANSWERS: Readonly<Record<string, Readonly<Record<string, HostFunction>>>> = {
  'fermyon:spin/config': { 'get-config': other('fermyon:spin/config') },
  'fermyon:spin/http': { 'send-request': () => new Err('destination-not-allowed') },
  'fermyon:spin/key-value': { open: accessDenied, '[static]store.open': accessDenied },
  'fermyon:spin/llm': { infer: modelNotSupported, 'generate-embeddings': modelNotSupported },
  'fermyon:spin/mqtt': { '[static]connection.open': other('fermyon:spin/mqtt') },
  'fermyon:spin/mysql': {
    '[static]connection.open': other('fermyon:spin/mysql'), query: otherError('fermyon:spin/mysql'), execute: otherError('fermyon:spin/mysql'),
  },
  'fermyon:spin/postgres': {
    '[static]connection.open': other('fermyon:spin/postgres'), query: otherError('fermyon:spin/postgres'), execute: otherError('fermyon:spin/postgres'),
  },
  'fermyon:spin/redis': {
    '[static]connection.open': other('fermyon:spin/redis'),
    ...Object.fromEntries(['publish', 'get', 'set', 'incr', 'del', 'sadd', 'smembers', 'srem', 'execute'].map((name) => [name, () => new Err('error')])),
  },
  'fermyon:spin/sqlite': { open: accessDenied, '[static]connection.open': accessDenied },
  'fermyon:spin/variables': { get: undefinedVariable },
  'spin:key-value/key-value': { '[static]store.open': accessDenied },
  'spin:mqtt/mqtt': { '[static]connection.open': other('spin:mqtt/mqtt') },
  'spin:mysql/mysql': { '[static]connection.open': other('spin:mysql/mysql') },
  'spin:postgres/postgres': {
    '[static]connection.open': other('spin:postgres/postgres'), '[static]connection.open-async': other('spin:postgres/postgres'),
    '[constructor]connection-builder': () => ({}), '[method]connection-builder.set-ca-root': () => undefined,
    '[method]connection-builder.build': other('spin:postgres/postgres'), '[method]connection-builder.build-async': other('spin:postgres/postgres'),
  },
  'spin:redis/redis': { '[static]connection.open': other('spin:redis/redis') },
  'spin:sqlite/sqlite': { '[static]connection.open': accessDenied, '[static]connection.open-async': accessDenied },
  'spin:variables/variables': { get: undefinedVariable },
  'wasi:blobstore/blobstore': Object.fromEntries(
    ['create-container', 'get-container', 'delete-container', 'container-exists', 'copy-object', 'move-object'].map((name) => [name, () => new Err(notPermitted('wasi:blobstore/blobstore'))]),
  ),
  'wasi:cli/environment': { 'get-environment': () => [], 'get-arguments': () => [], 'initial-cwd': () => undefined, 'get-initial-cwd': () => undefined },
  'wasi:config/store': { get: io('wasi:config/store'), 'get-all': io('wasi:config/store') },
  'wasi:filesystem/preopens': { 'get-directories': () => [] },
  'wasi:http/client': {
    send: (request: Request03) => {
      request.body.drop();
      return internalError('wasi:http/client');
    },
  },
  'wasi:http/outgoing-handler': {
    handle: (request: OutgoingRequest) => {
      request.writer?.abort(new Error('the request is not permitted'));
      return internalError('wasi:http/outgoing-handler');
    },
  },
  'wasi:keyvalue/store': { open: accessDenied },
  'wasi:sockets/ip-name-lookup': { 'resolve-addresses': accessDenied },
  'wasi:sockets/tcp-create-socket': { 'create-tcp-socket': accessDeniedEnum },
  'wasi:sockets/types': { '[static]tcp-socket.create': accessDenied, '[static]udp-socket.create': accessDenied },
  'wasi:sockets/udp-create-socket': { 'create-udp-socket': accessDeniedEnum },
  'whorl:key-value/extended': { '[static]store.open': accessDenied },
};

const notPermitted = (iface: string): string => `${JSON.stringify(iface)} is not permitted`;

function accessDenied(): Err {
  return new Err({ tag: 'access-denied' });
}
function accessDeniedEnum(): Err {
  return new Err('access-denied');
}
function modelNotSupported(): Err {
  return new Err({ tag: 'model-not-supported' });
}
function undefinedVariable(name: string): Err {
  return new Err({ tag: 'undefined', val: name });
}
function other(iface: string): HostFunction {
  return () => new Err({ tag: 'other', val: notPermitted(iface) });
}
function otherError(iface: string): HostFunction {
  return () => new Err({ tag: 'other-error', val: notPermitted(iface) });
}
function io(iface: string): HostFunction {
  return () => new Err({ tag: 'io', val: notPermitted(iface) });
}
function internalError(iface: string): Err {
  return new Err({ tag: 'internal-error', val: notPermitted(iface) });
}

/** `error-code` of sockets is an enum in 0.2 and a variant in 0.3. */
function isEnumError(iface: string, version: string): boolean {
  return iface === 'wasi:sockets/ip-name-lookup' && version.startsWith('0.2.');
}

/** The first candidate of wasi:http has errors of four cases, with a text each. */
function asText(answer: HostFunction): HostFunction {
  return (...args: unknown[]) => new Err({ tag: 'unexpected-error', val: ((answer(...args) as Err).payload as { val: string }).val });
}

/** The names that have an answer, by interface without version. */
export const DENIED_ANSWERS: ReadonlyMap<string, readonly string[]> = new Map(Object.entries(ANSWERS).map(([iface, answers]) => [iface, Object.keys(answers)]));

/** The host's side of a function that its component is denied: `iface` as it is imported, whether the host has such an interface or not. */
export function deniedBinding(imported: string, name: string): HostBinding<GuestState> | undefined {
  if (name.startsWith('[resource-drop]')) return undefined;
  const [iface = '', version = ''] = imported.split('@');
  const answers = Object.hasOwn(ANSWERS, iface) ? ANSWERS[iface]! : {};
  const known = Object.hasOwn(answers, name) ? answers[name] : undefined;
  const answer = known === accessDenied && isEnumError(iface, version) ? accessDeniedEnum : known && version === RC_2023_10_18 && iface === 'wasi:http/outgoing-handler' ? asText(known) : known;
  return plain(answer ?? (() => {
    throw new Trap(`${imported}#${name} is not permitted: the dependency that calls it does not inherit it from the component that depends on it`);
  }));
}
