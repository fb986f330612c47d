import { describe, expect, it } from '@jest/globals';
import { isSupportedInterface, SUPPORTED_INTERFACES } from '#contract/interfaces.js';
import { CAPABILITIES, resolveHost, resolverFor } from '#runtime/capability/table.js';
import { interfaceIds, readInterface } from '../fixtures/wit-package.js';

const EXPORTED_ONLY = /^wasi:(cli\/run|http\/(incoming-handler|handler))@/;
const LINES: readonly (string | null)[] = ['0.2', '0.3'];
const PACKAGES = {
  '0.2.12': ['cli', 'clocks', 'random', 'io', 'filesystem', 'http', 'sockets'],
  '0.3.0': ['cli', 'clocks', 'random', 'filesystem', 'http', 'sockets'],
} as const;

describe('the capability table', () => {
  it('answers exactly the interfaces that the registry lets through', () => {
    const key = ({ name, version }: { name: string; version: string | null }) => `${name}@${version}`;
    expect(CAPABILITIES.map(key).sort()).toEqual(SUPPORTED_INTERFACES.map(key).sort());
  });

  for (const version of ['0.2.12', '0.3.0'] as const) {
    it(`has every function of WASI ${version}, and no other`, () => {
      const ids = interfaceIds().filter((id) => !EXPORTED_ONLY.test(id) && PACKAGES[version].some((pkg) => id.startsWith(`wasi:${pkg}/`)) && id.endsWith(`@${version}`));
      const functions = ids.flatMap((iface) => readInterface(iface).functions.map(({ name }) => ({ iface, name })));
      expect(functions.length).toBeGreaterThan(80);
      expect(functions.filter(({ iface, name }) => !resolveHost(iface, name))).toEqual([]);
      expect(functions.filter(({ iface }) => !isSupportedInterface(iface))).toEqual([]);

      const known = new Set(functions.map(({ iface, name }) => `${iface.replace(/@.*/, '')} ${name}`));
      const extra = CAPABILITIES.filter((each) => each.version !== null && version.startsWith(each.version)).flatMap(({ name, functions: own }) =>
        Object.keys(own).filter((each) => !each.startsWith('[resource-drop]') && !known.has(`${name} ${each}`)));
      expect(extra).toEqual([]);
    });
  }

  it('has every function of each interface that stands in it with its whole version, and no other', () => {
    for (const { name, version, functions } of CAPABILITIES.filter((each) => !LINES.includes(each.version))) {
      const wanted = readInterface(version === null ? name : `${name}@${version}`).functions.map((each) => each.name);
      expect({ name, version, functions: Object.keys(functions).filter((each) => !each.startsWith('[resource-drop]')).sort() }).toEqual({ name, version, functions: wanted.sort() });
    }
  });

  it('takes any release of a line, and of candidates those that Spin links', () => {
    expect(resolveHost('wasi:io/poll@0.2.0', 'poll')).toBe(resolveHost('wasi:io/poll@0.2.99', 'poll'));
    expect(resolveHost('wasi:http/types@0.2.0-rc-2023-11-10', '[constructor]fields')).toBeDefined();
    expect(resolveHost('wasi:http/types@0.2.0-rc-2023-12-05', '[constructor]fields')).toBeUndefined();
    expect(isSupportedInterface('wasi:http/types@0.2.0-rc-2023-12-05')).toBe(false);
    expect(isSupportedInterface('wasi:http/types@0.3.0-rc-2025-09-16')).toBe(false);
    expect(resolveHost('wasi:http/types', '[constructor]fields')).toBeUndefined();
    expect(resolveHost('fermyon:spin/variables@2.0.1', 'get')).toBeUndefined();
  });

  it('marks as waiting, of WASI, only what 0.2 lets block', () => {
    const waits = CAPABILITIES.flatMap(({ name, version, functions }) =>
      Object.entries(functions).filter(([, binding]) => binding.waits).map(([each]) => `${name}@${version} ${each}`));
    const ofWasi = waits.filter((each) => each.startsWith('wasi:io/'));
    expect(ofWasi.filter((each) => !/@0\.2.* (.*blocking-|poll$|poll-(list|one)$|.*pollable\.block$|.*\.forward$)/.test(each))).toEqual([]);
    expect(ofWasi).toHaveLength(25);
    expect(waits.filter((each) => /^wasi:(cli|clocks|filesystem|http|random|sockets)/.test(each))).toEqual([]);
  });

  it('gives a component that speaks HTTP by 0.3 alone streams that never wait, with every function', () => {
    const component = { imports: ['wasi:http/types@0.3.0', 'wasi:io/streams@0.2.12'], handlers: ['wasi-http-0.3'] as const };
    const streams = Object.keys(CAPABILITIES.find(({ name, version }) => name === 'wasi:io/streams' && version === '0.2')!.functions);
    for (const name of streams) expect(resolverFor(component)('wasi:io/streams@0.2.12', name)).toMatchObject({ waits: false });
    expect(resolverFor({ ...component, imports: ['wasi:http/types@0.3.0-rc-2026-03-15', 'wasi:io/streams@0.2.12'] })('wasi:io/streams@0.2.12', '[method]input-stream.blocking-read')).toMatchObject({ waits: false });
    expect(resolverFor({ ...component, imports: [...component.imports, 'wasi:sockets/tcp@0.2.6'] })).toBe(resolveHost);
    expect(resolverFor(component)('wasi:io/poll@0.2.12', 'poll')).toMatchObject({ waits: true });
    expect(resolverFor({ ...component, imports: [...component.imports, 'wasi:http/types@0.2.3'] })).toBe(resolveHost);
    expect(resolverFor({ ...component, imports: ['wasi:io/streams@0.2.12'] })).toBe(resolveHost);
  });

  it('lets a command wait for its standard streams, whatever HTTP it speaks besides: under WAGI they are the client\'s', () => {
    expect(resolverFor({ imports: ['wasi:http/types@0.3.0', 'wasi:io/streams@0.2.12'], handlers: ['wasi-http-0.3', 'command'] })).toBe(resolveHost);
  });
});
