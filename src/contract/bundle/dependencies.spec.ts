import { describe, expect, it } from '@jest/globals';
import { CapabilitySet } from '#contract/capability-sets.js';
import { WhorlError } from '#contract/errors.js';
import type { LockedDependency } from './locked-dependency.js';
import { lockApp } from './lock.js';
import { parseManifest } from './manifest.js';
import { overlap, parseDependencyName } from './dependency-name.js';

const HEAD = 'spin_manifest_version = 2\n[application]\nname = "app"\n[[trigger.http]]\nroute = "/..."\ncomponent = "main"\n[component.main]\nsource = "main.wasm"\n';
const DEPENDENCIES = '[component.main.dependencies]\n';
const ALL = [...CapabilitySet.options];
const digestOf = (path: string): string => `sha256:${Buffer.from(path).toString('hex').padEnd(64, '0').slice(0, 64)}`;

function lock(text: string, files = ['main.wasm', 'lib.wasm', 'deep.wasm']) {
  const entries = new Map(files.map((path) => [path, { digest: digestOf(path) as LockedDependency['source'], bytes: path.length }]));
  return lockApp(parseManifest(HEAD + text), { entries, folders: new Set() });
}

function refusal(text: string): WhorlError {
  try {
    lock(text);
  } catch (error) {
    if (error instanceof WhorlError) return error;
    throw error;
  }
  throw new Error('was taken');
}

const dependenciesOf = (text: string): LockedDependency[] | undefined => lock(text).app.components[0]!.dependencies;

describe('dependencies in a manifest', () => {
  it('become digests, and inherit nothing unless it is said', () => {
    expect(dependenciesOf(`${DEPENDENCIES}"a:b/c@1.0.0" = { path = "./lib.wasm", export = "x:y/z" }\nplain = { path = "lib.wasm" }\n`)).toEqual([
      { name: 'a:b/c@1.0.0', source: digestOf('lib.wasm'), sourceBytes: 8, export: 'x:y/z', inherit: [], dependencies: [] },
      { name: 'plain', source: digestOf('lib.wasm'), sourceBytes: 8, inherit: [], dependencies: [] },
    ]);
    expect(dependenciesOf('')).toBeUndefined();
  });

  it.each([
    ['all, said for one', `${DEPENDENCIES}"a:b" = { path = "lib.wasm", inherit_configuration = true }`, ALL],
    ['all, said for the component', `dependencies_inherit_configuration = true\n${DEPENDENCIES}"a:b" = { path = "lib.wasm" }`, ALL],
    ['none', `${DEPENDENCIES}"a:b" = { path = "lib.wasm", inherit_configuration = false }`, []],
    ['some', `${DEPENDENCIES}"a:b" = { path = "lib.wasm", inherit_configuration = ["variables", "files"] }`, ['files', 'variables']],
  ])('inherit %s', (_, text, inherit) => {
    expect(dependenciesOf(text)).toMatchObject([{ inherit }]);
  });

  it('may be fetched', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const { app, remoteSources } = lock(`${DEPENDENCIES}"a:b" = { url = "https://example.com/lib.wasm", digest = "${digest}" }`);
    expect(app.components[0]!.dependencies).toMatchObject([{ source: digest, sourceBytes: 0 }]);
    expect(remoteSources).toEqual([{ component: 'main', url: 'https://example.com/lib.wasm', digest }]);
  });

  it('may be other components, which then need no trigger, with what these depend on and no more than they inherit', () => {
    const { app, warnings } = lock(`${DEPENDENCIES}"a:b" = { component = "lib", inherit_configuration = ["files", "variables"] }
[component.lib]
source = "lib.wasm"
[component.lib.dependencies]
"c:d" = { path = "deep.wasm", inherit_configuration = ["variables", "environment"] }`);
    expect(warnings).toEqual([]);
    expect(app.components.map(({ id }) => id)).toEqual(['main']);
    expect(app.components[0]!.dependencies).toEqual([{
      name: 'a:b', source: digestOf('lib.wasm'), sourceBytes: 8, inherit: ['files', 'variables'],
      dependencies: [{ name: 'c:d', source: digestOf('deep.wasm'), sourceBytes: 9, inherit: ['variables'], dependencies: [] }],
    }]);
  });

  it.each([
    ['a version', '"a:b" = "^1.0"', 'BUNDLE_UNSUPPORTED', /line 10, component.main.dependencies."a:b": dependencies from a package registry are not supported: put the component into the bundle/],
    ['a package', '"a:b" = { version = "1.0.0", registry = "example.com", package = "x:y" }', 'BUNDLE_UNSUPPORTED', /from a package registry/],
    ['a file that is not there', '"a:b" = { path = "gone.wasm" }', 'BUNDLE_FILE_MISSING', /there is no file "gone.wasm" in the bundle for dependency "a:b" of component "main"/],
    ['a path out of the bundle', '"a:b" = { path = "../lib.wasm" }', 'BUNDLE_MANIFEST_INVALID', /the path holds "\.\."/],
    ['no source', '"a:b" = { export = "x" }', 'BUNDLE_MANIFEST_INVALID', /version: is required/],
    ['a key that nobody knows', '"a:b" = { path = "lib.wasm", inherits = true }', 'BUNDLE_MANIFEST_INVALID', /dependencies."a:b".inherits: unknown key/],
    ['a capability that nobody knows', '"a:b" = { path = "lib.wasm", inherit_configuration = ["net"] }', 'BUNDLE_MANIFEST_INVALID', /inherit_configuration\[0\]: expected "ai_models" or/],
    ['a name that is none', '"a:b:c" = { path = "lib.wasm" }', 'BUNDLE_MANIFEST_INVALID', /"a:b:c": expected a package/],
    ['a version that is none', '"a:b@1" = { path = "lib.wasm" }', 'BUNDLE_MANIFEST_INVALID', /"1" is no version/],
    ['an export for a whole package', '"a:b" = { path = "lib.wasm", export = "x:y/z" }', 'BUNDLE_MANIFEST_INVALID', /several imports/],
    ['two names for one import', '"a:b" = { path = "lib.wasm" }\n"a:b/c@1.0.0" = { path = "lib.wasm" }', 'BUNDLE_MANIFEST_INVALID', /"a:b\/c@1.0.0" and "a:b" could both be for the same import/],
    ['a component that is not there', '"a:b" = { component = "gone" }', 'BUNDLE_MANIFEST_INVALID', /there is no component "gone"/],
    ['itself', '"a:b" = { component = "main" }', 'BUNDLE_MANIFEST_INVALID', /a component cannot depend on itself: main → main/],
  ] as const)('are refused: %s', (_, line, code, message) => {
    expect(refusal(DEPENDENCIES + line)).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('are refused: both ways to inherit at once', () => {
    expect(refusal(`dependencies_inherit_configuration = false\n${DEPENDENCIES}"a:b" = { path = "lib.wasm", inherit_configuration = true }`).message)
      .toMatch(/must not stand beside dependencies_inherit_configuration of component.main/);
  });

  it('are refused: a component with settings of its own', () => {
    expect(refusal(`${DEPENDENCIES}"a:b" = { component = "lib" }\n[component.lib]\nsource = "lib.wasm"\nkey_value_stores = ["default"]\nenvironment = { A = "b" }`).message)
      .toMatch(/the component "lib" has environment, key_value_stores of its own/);
  });

  it('are refused: a circle', () => {
    const other = (id: string, on: string) => `[component.${id}]\nsource = "lib.wasm"\n[component.${id}.dependencies]\n"a:b" = { component = "${on}" }\n`;
    expect(refusal(`${DEPENDENCIES}"a:b" = { component = "x" }\n${other('x', 'y')}${other('y', 'x')}`).message).toMatch(/x → y → x/);
  });

  it('are refused: too many of one component', () => {
    const lines = Array.from({ length: 101 }, (_, i) => `"a:b/x${i}" = { path = "lib.wasm" }\n`).join('');
    expect(refusal(DEPENDENCIES + lines).message).toMatch(/has 101 dependencies, more than the 100/);
  });

  it('are refused: a chain without end', () => {
    const link = (i: number) => `[component.x${i}]\nsource = "lib.wasm"\n[component.x${i}.dependencies]\n"a:b" = { component = "x${i + 1}" }\n`;
    const chain = Array.from({ length: 2_000 }, (_, i) => link(i)).join('');
    expect(refusal(`${DEPENDENCIES}"a:b" = { component = "x0" }\n${chain}[component.x2000]\nsource = "lib.wasm"\n`).message).toMatch(/more than 16 deep/);
  });

  it('are refused: more than an app can have, once they are unfolded', () => {
    const pair = (id: string, on: string) => `[component.${id}]\nsource = "lib.wasm"\n[component.${id}.dependencies]\n"a:b" = { component = "${on}" }\n"c:d" = { component = "${on}" }\n`;
    const chain = Array.from({ length: 12 }, (_, i) => pair(`x${'x'.repeat(i)}`, `x${'x'.repeat(i + 1)}`)).join('');
    expect(refusal(`${DEPENDENCIES}"a:b" = { component = "x" }\n${chain}[component.${'x'.repeat(13)}]\nsource = "lib.wasm"\n`).message).toMatch(/more than 1000 dependencies/);
  });
});

describe(overlap.name, () => {
  const read = (name: string) => {
    const parsed = parseDependencyName(name);
    if ('refused' in parsed) throw new Error(parsed.refused);
    return parsed;
  };

  // the cases of Spin's own test
  it.each([
    ['foo:bar@0.1.0', 'foo:bar@0.2.0'], ['foo:bar/baz@0.1.0', 'foo:bar/baz@0.2.0'], ['foo:bar/baz@0.1.0', 'foo:bar/bub@0.1.0'], ['foo:bar@0.1.0', 'foo:bar/bub@0.2.0'],
    ['foo:bar@1.0.0', 'foo:bar@2.0.0'], ['foo:bar@0.1.0', 'foo:bar@1.0.0'], ['foo:bar/baz', 'foo:bar/bub'], ['foo:bar/baz@0.1.0-alpha', 'foo:bar/baz@0.1.0-beta'],
  ])('keeps %s and %s apart', (one, other) => expect(overlap(read(one), read(other))).toBe(false));

  it.each([
    ['foo:bar@0.1.0', 'foo:bar@0.1.1'], ['foo:bar/baz@0.1.0', 'foo:bar@0.1.0'], ['foo:bar', 'foo:bar@0.1.0'], ['foo:bar@0.1.0-pre', 'foo:bar@0.1.0-pre'],
  ])('finds that %s and %s could be for one import', (one, other) => expect(overlap(read(one), read(other))).toBe(true));
});
