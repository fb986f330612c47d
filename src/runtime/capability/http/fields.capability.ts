import { Err, Trap, type HostFunction } from '#engine/run/host.js';
import { perSlot, plain, type Capability } from '../capability.js';
import { Fields, SIZE_EXCEEDED } from './fields.js';

const shared: Record<string, HostFunction> = {
  '[method]fields.get': (fields: Fields, name: string) => fields.get(name),
  '[method]fields.has': (fields: Fields, name: string) => fields.has(name),
  '[method]fields.set': (fields: Fields, name: string, values: Uint8Array[]) => fields.set(name, values),
  '[method]fields.delete': (fields: Fields, name: string) => fields.delete(name),
  '[method]fields.append': (fields: Fields, name: string, value: Uint8Array) => fields.append(name, value),
  '[resource-drop]fields': (fields: Fields) => fields.drop(),
};

/** Those that make fields: held on the account of the guest that asked. */
const MAKERS: Capability['functions'] = {
  '[constructor]fields': perSlot((state) => () => new Fields(state.memory)),
  '[method]fields.clone': perSlot((state) => (fields: Fields) => fields.clone(state.memory)),
};
type Entries = [string, Uint8Array][];

/** 0.2 has no word for fields that grow too large: the guest traps. */
const trapsOnSize = (call: HostFunction): HostFunction => (...args: unknown[]) => noFailure(call(...args));

function noFailure(result: unknown): unknown {
  if (result === SIZE_EXCEEDED) throw new Trap('the header fields are too large');
  return result;
}

const GROWING = new Set(['[method]fields.set', '[method]fields.append']);
const bind = (functions: Record<string, HostFunction>): Capability['functions'] =>
  Object.fromEntries(Object.entries(functions).map(([name, call]) => [name, plain(call)]));

/** `fields` of wasi:http/types@0.2.x. */
export const FIELDS_02: Capability['functions'] = {
  ...MAKERS,
  '[static]fields.from-list': perSlot((state) => (entries: Entries) => noFailure(Fields.fromList(entries, state.memory))),
  ...bind(Object.fromEntries(Object.entries(shared).map(([name, call]) => [name, GROWING.has(name) ? trapsOnSize(call) : call]))),
  '[method]fields.entries': plain((fields: Fields) => fields.entries()),
};

/** `fields` of wasi:http/types@0.3.x. */
export const FIELDS_03: Capability['functions'] = {
  ...MAKERS,
  '[static]fields.from-list': perSlot((state) => (entries: Entries) => Fields.fromList(entries, state.memory)),
  ...bind(shared),
  '[method]fields.get-and-delete': plain((fields: Fields, name: string) => fields.getAndDelete(name)),
  '[method]fields.copy-all': plain((fields: Fields) => fields.entries()),
};

/** `request-options`: durations in ns; undefined: the default. */
export class RequestOptions {
  connectNs: bigint | undefined;
  firstByteNs: bigint | undefined;
  betweenBytesNs: bigint | undefined;
  immutable = false;

  clone(): RequestOptions {
    const copy = new RequestOptions();
    copy.connectNs = this.connectNs;
    copy.firstByteNs = this.firstByteNs;
    copy.betweenBytesNs = this.betweenBytesNs;
    return copy;
  }
}

const DURATIONS = [['connect', 'connectNs'], ['first-byte', 'firstByteNs'], ['between-bytes', 'betweenBytesNs']] as const;

export const REQUEST_OPTIONS_02: Capability['functions'] = bind({
  '[constructor]request-options': () => new RequestOptions(),
  ...Object.fromEntries(DURATIONS.flatMap(([name, key]): [string, HostFunction][] => [
    [`[method]request-options.${name}-timeout`, (options: RequestOptions) => options[key]],
    [`[method]request-options.set-${name}-timeout`, (options: RequestOptions, ns: bigint | undefined) => { options[key] = ns; }],
  ])),
});

const OPTIONS_IMMUTABLE = new Err({ tag: 'immutable' });

export const REQUEST_OPTIONS_03: Capability['functions'] = bind({
  '[constructor]request-options': () => new RequestOptions(),
  '[method]request-options.clone': (options: RequestOptions) => options.clone(),
  ...Object.fromEntries(DURATIONS.flatMap(([name, key]): [string, HostFunction][] => [
    [`[method]request-options.get-${name}-timeout`, (options: RequestOptions) => options[key]],
    [`[method]request-options.set-${name}-timeout`, (options: RequestOptions, ns: bigint | undefined) => {
      if (options.immutable) return OPTIONS_IMMUTABLE;
      options[key] = ns;
      return undefined;
    }],
  ])),
});
