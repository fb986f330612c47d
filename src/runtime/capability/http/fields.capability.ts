import { Err, Trap, type HostFunction } from '#engine/run/host.js';
import { perSlot, plain, type Capability } from '../capability.js';
import { Fields, SIZE_EXCEEDED, type HeaderError } from './fields.js';

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

const { '[method]fields.has': _notYet, ...withoutHas } = FIELDS_02;
export const FIELDS_2023_11_10: Capability['functions'] = withoutHas;

/** The first candidate has no word for what goes wrong with fields at all: the guest traps. */
const { '[static]fields.from-list': _madeByItsConstructor, ...withoutFromList } = withoutHas;
export const FIELDS_2023_10_18: Capability['functions'] = {
  ...withoutFromList,
  '[constructor]fields': perSlot((state) => (entries: Entries) => noError(Fields.fromList(entries, state.memory))),
  ...bind(Object.fromEntries(['set', 'delete', 'append'].map((name) => [`[method]fields.${name}`, (...args: unknown[]) => noError(shared[`[method]fields.${name}`]!(...args))]))),
};

function noError(result: unknown): unknown {
  if (result instanceof Err) throw new Trap(`a header field is refused: ${(result.payload as HeaderError).tag}`);
  return result;
}

/** `fields` of wasi:http/types@0.3.x. */
export const FIELDS_03: Capability['functions'] = {
  ...MAKERS,
  '[static]fields.from-list': perSlot((state) => (entries: Entries) => Fields.fromList(entries, state.memory)),
  ...bind(shared),
  '[method]fields.get-and-delete': plain((fields: Fields, name: string) => fields.getAndDelete(name)),
  '[method]fields.copy-all': plain((fields: Fields) => fields.entries()),
};
