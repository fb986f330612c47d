import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { buildComponent, type BuiltComponent } from '#engine/build/build-component.js';
import { BuildError } from '#engine/build/build-error.js';
import { type ComponentDependency, compatibleName } from './composition.js';
import { matchesImport } from './wiring.js';

const CORE = `(core module $core (func (export "one") (result i32) i32.const 1) (func (export "take") (param i32)))
  (core instance $core (instantiate $core))
  (func $one (result u32) (canon lift (core func $core "one")))`;
/** Exports `a:b/num@1.0.0` with the function `one`. */
const NUM = `(component ${CORE} (instance $num (export "one" (func $one))) (export "a:b/num@1.0.0" (instance $num)))`;
/** Imports it and exports its own `go`. */
const ROOT = `(component
  (import "a:b/num@1.0.0" (instance $num (export "one" (func (result u32)))))
  (import "wasi:cli/environment@0.2.3" (instance))
  ${CORE} (export "go" (func $one)))`;

async function dependency(name: string, wat: string, more: Partial<ComponentDependency> = {}): Promise<ComponentDependency> {
  return { name, bytes: await parse(wat), denied: [], dependencies: [], ...more };
}

async function build(root: string, dependencies: ComponentDependency[]): Promise<BuiltComponent> {
  return buildComponent(await parse(root), { memoryCapBytes: 2 ** 20, dependencies });
}

async function refusal(root: string, dependencies: ComponentDependency[]): Promise<BuildError> {
  try {
    await build(root, dependencies);
  } catch (error) {
    if (error instanceof BuildError) return error;
    throw error;
  }
  throw new Error('was taken');
}

describe(matchesImport.name, () => {
  // the cases of Spin's own test
  it.each([
    ['foo:bar/baz@0.1.0', 'foo:bar/baz@0.1.0'], ['foo:bar/baz', 'foo:bar/baz@0.1.0'], ['foo:bar/baz', 'foo:bar/baz'], ['foo:bar', 'foo:bar/baz@0.1.0'],
    ['foo:bar', 'foo:bar/baz'], ['foo:bar@0.1.0', 'foo:bar/baz@0.1.0'], ['foo-bar', 'foo-bar'],
  ])('takes %s for %s', (name, imported) => expect(matchesImport(name, imported)).toBe(true));

  it.each([
    ['foo:bar/baz@0.1.0', 'foo:bar/baz'], ['foo:bar/baz', 'foo:bar/bub'], ['foo:bar', 'foo:bub/bib'], ['foo:bar@0.1.0', 'foo:bar/baz'],
    ['foo:bar/baz', 'foo:bar/baz-bub'], ['foo:bar/baz', 'foo-bar'], ['foo:bar/baz@0.1.0', 'foo:bar/baz@0.1.1'], ['foo', 'foo:bar/foo'],
  ])('does not take %s for %s', (name, imported) => expect(matchesImport(name, imported)).toBe(false));
});

describe(compatibleName.name, () => {
  it.each([
    ['a:b/c@1.2.3', 'a:b/c@1'], ['a:b/c@0.2.3', 'a:b/c@0.2'], ['a:b/c@0.0.3', 'a:b/c@0.0.3'], ['a:b/c@0.2.0-rc-1', 'a:b/c@0.2.0-rc-1'], ['a:b/c', 'a:b/c'],
    ['a:b/c@1.2.3+build', 'a:b/c@1'],
  ])('of %s is %s', (name, compatible) => expect(compatibleName(name)).toBe(compatible));
});

describe('a component with dependencies', () => {
  it('is one plan, in which the host is asked for what nobody else satisfies', async () => {
    const built = await build(ROOT, [await dependency('a:b', NUM)]);
    expect(built.imports).toEqual(['wasi:cli/environment@0.2.3']);
    expect(built.exports).toEqual(['go']);
    expect(built.plan).toMatchObject({ instances: 2, parents: [-1, -1] });
    expect(built.dependencies).toEqual([{ name: 'a:b', imports: [], denied: [] }]);
  });

  it('says what each dependency gets of the host and what it does not', async () => {
    const asking = NUM.replace('(component', '(component (import "wasi:cli/environment@0.2.0" (instance)) (import "wasi:io/error@0.2.0" (instance))');
    const built = await build(ROOT, [await dependency('a:b', asking, { denied: ['wasi:cli/environment'] })]);
    expect(built.dependencies).toEqual([{ name: 'a:b', imports: ['wasi:io/error@0.2.0'], denied: ['wasi:cli/environment@0.2.0'] }]);
    expect(built.imports).toEqual(['wasi:cli/environment@0.2.3', 'wasi:io/error@0.2.0']);
  });

  it('makes a component of a dependency that is a core module', async () => {
    const error = await refusal(ROOT, [await dependency('a:b', '(module)')]);
    expect(error).toMatchObject({ kind: 'mismatch', message: 'the dependency "a:b" does not export "a:b/num@1.0.0" to satisfy the import "a:b/num@1.0.0": it exports nothing' });
  });

  it('takes the export that the dependency names, whatever it is called', async () => {
    const other = NUM.replace('"a:b/num@1.0.0"', '"x:y/other"');
    await expect(build(ROOT, [await dependency('a:b/num', other, { export: 'x:y/other' })])).resolves.toMatchObject({ exports: ['go'] });
  });

  it('gives dependencies their own dependencies', async () => {
    const middle = `(component (import "c:d/num" (instance $num (export "one" (func (result u32))))) (alias export $num "one" (func $one))
      (instance $out (export "one" (func $one))) (export "a:b/num@1.0.0" (instance $out)))`;
    const last = NUM.replace('a:b/num@1.0.0', 'c:d/num');
    const built = await build(ROOT, [await dependency('a:b', middle, { dependencies: [await dependency('c:d', last)] })]);
    expect(built.plan.instances).toBe(3);
    expect(built.dependencies.map(({ name }) => name)).toEqual(['a:b', 'a:b > c:d']);
  });

  it('is refused when a dependency matches no import', async () => {
    expect(await refusal(ROOT, [await dependency('a:b@2.0.0', NUM)])).toMatchObject({
      kind: 'mismatch', message: 'the dependency "a:b@2.0.0" matches no import: "a:b/num@1.0.0", "wasi:cli/environment@0.2.3"',
    });
  });

  it('is refused when a dependency exports another version only', async () => {
    expect(await refusal(ROOT, [await dependency('a:b', NUM.replace('1.0.0', '1.0.1'))])).toMatchObject({
      message: 'the dependency "a:b" does not export "a:b/num@1.0.0" to satisfy the import "a:b/num@1.0.0": it exports "a:b/num@1.0.1"',
    });
  });

  it('is refused when two dependencies satisfy one import', async () => {
    expect(await refusal(ROOT, [await dependency('a:b', NUM), await dependency('a:b/num', NUM)])).toMatchObject({
      message: 'the import "a:b/num@1.0.0" is satisfied by two dependencies, "a:b" and "a:b/num"',
    });
  });

  it('is refused when an export is not of the type that the import asks for', async () => {
    expect(await refusal(ROOT.replace('(result u32)', '(result string)'), [await dependency('a:b', NUM)])).toMatchObject({
      kind: 'mismatch', message: 'dependency "a:b": "a:b/num@1.0.0#one": the function given has another type than asked for',
    });
  });

  it('names the dependency that cannot be read or is not valid', async () => {
    const [cut, invalid] = [await dependency('a:b', NUM), await dependency('a:b', NUM.replace('(component', '(component (export "x" (func 7))'))];
    expect(await refusal(ROOT, [{ ...cut, bytes: cut.bytes.subarray(0, 30) }])).toMatchObject({ kind: 'malformed', message: expect.stringMatching(/^dependency "a:b": .* \(at byte \d+\)$/) });
    expect(await refusal(ROOT, [invalid])).toMatchObject({ kind: 'invalid', message: 'dependency "a:b": there is no func 7' });
  });

  it('does not end with dependencies that never end', async () => {
    let deep = await dependency('a:b', ROOT.replace('"go" (func $one)', '"a:b/num@1.0.0" (instance $num)'));
    for (let i = 0; i < 20; i++) deep = { ...deep, dependencies: [deep] };
    expect(await refusal(ROOT, [deep])).toMatchObject({ kind: 'limit' });
  });
});
