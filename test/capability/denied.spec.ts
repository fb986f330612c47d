import { afterEach, describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { CAPABILITY_SETS, CapabilitySet, deniedInterfaces } from '#contract/capability-sets.js';
import { SUPPORTED_INTERFACES } from '#contract/interfaces.js';
import { Trap, type HostResolver } from '#engine/run/host.js';
import type { Slot } from '#engine/run/slot.js';
import { DENIED_ANSWERS } from '#runtime/capability/denied.js';
import { CAPABILITIES, resolveHost, resolverFor } from '#runtime/capability/table.js';
import { BUDGET_NS, programOf } from '../engine/engine-harness.js';
import { TestGuest } from './guest-state.js';

let guest: TestGuest | undefined;
afterEach(() => guest?.dispose());

const ALL = CapabilitySet.options.flatMap((set) => CAPABILITY_SETS[set]);
/** What an instance type says of each interface that a guest here asks. */
const TYPES = {
  'fermyon:spin/key-value@2.0.0': `(export "store" (type $store (sub resource)))
    (type $error' (variant (case "store-table-full") (case "no-such-store") (case "access-denied") (case "other" string))) (export "error" (type $error (eq $error')))
    (export "[static]store.open" (func (param "label" string) (result (result (own $store) (error $error)))))
    (export "[method]store.exists" (func (param "self" (borrow $store)) (param "key" string) (result (result bool (error $error)))))`,
  'wasi:filesystem/preopens@0.2.3': '(export "get-directories" (func (result (list (tuple u32 string)))))',
};

/** A component that depends on one which calls `name` and gives the words at 16 and 20 as `first` and `second`. */
async function asking(iface: keyof typeof TYPES, name: string, { params, denied }: { params: string; denied: readonly string[] }): Promise<Slot<unknown>> {
  const wasm = (wat: string) => parse(wat);
  const flat = params.split(' ').filter((part) => part !== '');
  const dependency = await wasm(`(component (import "${iface}" (instance $host ${TYPES[iface]}))
    (core module $memory (memory (export "memory") 1) (data (i32.const 1024) "default") (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 2048))
    (core instance $memory (instantiate $memory)) (alias core export $memory "memory" (core memory $mem)) (alias core export $memory "realloc" (core func $realloc))
    (core func $ask (canon lower (func $host "${name}") (memory $mem) (realloc $realloc)))
    (core module $m (import "" "ask" (func $ask (param ${flat.map(() => 'i32').join(' ')} i32))) (import "" "memory" (memory 1))
      (func (export "ask") (result i32) (call $ask ${flat.map((value) => `(i32.const ${value})`).join(' ')} (i32.const 16))
        (i32.add (i32.mul (i32.load8_u (i32.const 16)) (i32.const 100)) (i32.load8_u (i32.const 20)))))
    (core instance $i (instantiate $m (with "" (instance (export "ask" (func $ask)) (export "memory" (memory $mem))))))
    (func $ask (result u32) (canon lift (core func $i "ask"))) (instance $out (export "ask" (func $ask))) (export "a:b/ask" (instance $out)))`);
  const root = await wasm(`(component (import "a:b/ask" (instance $dependency (export "ask" (func (result u32)))))
    (core func $ask (canon lower (func $dependency "ask")))
    (core module $m (import "" "ask" (func $ask (result i32))) (func (export "go") (result i32) (call $ask)))
    (core instance $i (instantiate $m (with "" (instance (export "ask" (func $ask))))))
    (func (export "go") (result u32) (canon lift (core func $i "go"))))`);
  const program = await programOf(root, {}, { resolve: resolveHost as HostResolver<unknown>, dependencies: [{ name: 'a:b', bytes: dependency, denied, dependencies: [] }] });
  expect(program.missing).toEqual([]);
  guest = new TestGuest({ keyValueStores: ['default'], files: [] });
  const slot = program.newSlot(guest);
  slot.instantiate(BUDGET_NS);
  return slot;
}

describe('what a dependency does not inherit', () => {
  it('is every interface that something is granted through, unless it inherits that', () => {
    expect(deniedInterfaces([])).toEqual(ALL);
    expect(deniedInterfaces(CapabilitySet.options)).toEqual([]);
    expect(deniedInterfaces(['files', 'variables'])).toEqual(expect.not.arrayContaining(['wasi:filesystem/preopens', 'fermyon:spin/variables']));
  });

  it('has answers for nothing else', () => {
    expect([...DENIED_ANSWERS.keys()].filter((iface) => !ALL.includes(iface))).toEqual([]);
  });

  it('answers nothing in the host\'s name, in any version', () => {
    const own = new Set(CAPABILITIES.flatMap(({ functions }) => Object.values(functions)));
    for (const { name, version, functions } of CAPABILITIES.filter((each) => ALL.includes(each.name))) {
      for (const each of Object.keys(functions)) {
        for (const release of [version && version.split('.').length < 3 ? `${version}.0` : version, '9.9.9']) {
          const resolve = resolverFor({ imports: ['wasi:http/types@0.3.0'], handlers: ['wasi-http-0.3'] });
          const binding = resolve(release === null ? name : `${name}@${release}`, each, true);
          if (each.startsWith('[resource-drop]')) expect(binding).toBeUndefined();
          else expect(own.has(binding!)).toBe(false);
        }
      }
    }
    expect(SUPPORTED_INTERFACES.filter(({ name }) => ALL.includes(name)).length).toBeGreaterThanOrEqual(8);
  });

  it('traps where nothing was ever given to work on', () => {
    guest = new TestGuest();
    const call = resolveHost('acme:no/such@1.0.0', 'do', true)!.bind(guest);
    expect(call).toThrow(Trap);
    expect(call).toThrow('acme:no/such@1.0.0#do is not permitted');
  });

  it('opens no store that the app may open', async () => {
    const open = { params: '1024 7', denied: deniedInterfaces([]) };
    await expect((await asking('fermyon:spin/key-value@2.0.0', '[static]store.open', open)).call(null, 'go', [])).resolves.toBe(102);
    guest?.dispose();
    const granted = await asking('fermyon:spin/key-value@2.0.0', '[static]store.open', { ...open, denied: deniedInterfaces(['key_value_stores']) });
    await expect(granted.call(null, 'go', [])).resolves.toBe(1);
  });

  it('has no folder', async () => {
    const slot = await asking('wasi:filesystem/preopens@0.2.3', 'get-directories', { params: '', denied: deniedInterfaces([]) });
    await expect(slot.call(null, 'go', [])).resolves.toBe(0);
  });

  it('answers as the adapter of Spin does', () => {
    guest = new TestGuest({ variables: new Map([['secret', 'x']]), environment: [['A', 'b']] }, { environment: [['PATH_INFO', '/']] });
    const ask = (iface: string, name: string, ...args: unknown[]) => resolveHost(iface, name, true)!.bind(guest!)(...args) as unknown;
    expect(ask('fermyon:spin/variables@2.0.0', 'get', 'secret')).toMatchObject({ payload: { tag: 'undefined', val: 'secret' } });
    expect(ask('wasi:cli/environment@0.2.3', 'get-environment')).toEqual([]);
    expect(ask('wasi:cli/environment@0.3.0', 'get-initial-cwd')).toBeUndefined();
    expect(ask('wasi:http/outgoing-handler@0.2.3', 'handle', { writer: null })).toMatchObject({ payload: { tag: 'internal-error', val: '"wasi:http/outgoing-handler" is not permitted' } });
    expect(ask('wasi:sockets/ip-name-lookup@0.2.6', 'resolve-addresses')).toMatchObject({ payload: 'access-denied' });
    expect(ask('wasi:sockets/ip-name-lookup@0.3.0', 'resolve-addresses')).toMatchObject({ payload: { tag: 'access-denied' } });
  });
});
