import { describe, expect, it } from '@jest/globals';
import { LinkError } from '#engine/build/build-error.js';
import { completesVersion, isInterfaceName, parseExternName } from './extern-name.js';

function refusal(name: string): LinkError {
  try {
    parseExternName(name);
  } catch (error) {
    if (error instanceof LinkError) return error;
    throw error;
  }
  throw new Error(`${name} was taken`);
}

describe(parseExternName.name, () => {
  it.each(['run', 'x', 'get-URL', 'HTTP2-server', 'a1-2-3', 'x-4K', 'm1x-4CR0NYM'])('takes the label %s', (name) => {
    expect(parseExternName(name)).toMatchObject({ kind: 'plain', label: name });
  });

  it.each(['', '-', '4k', 'a--b', 'a-', '-a', 'camelCase', 'Title', 'under_score', 'a.b', 'ünder', 'a b', 'a\n'])('refuses %j', (name) => {
    expect(refusal(name)).toMatchObject({ kind: 'invalid', message: `${JSON.stringify(name)} is not a name for an import or export` });
  });

  it.each([
    'wasi:http/types', 'wasi:http/types@0.2.3', 'my-org:a-2/get-URL', 'a:b/c@1.0.0-rc.1', 'a:b/c@10.20.30+build.007', 'a:b/c@1.0.0--x+y-z', 'a:b/c@0.2', 'a:b/c@3',
  ])('takes the interface %s', (name) => {
    expect(parseExternName(name).kind).toBe('interface');
    expect(isInterfaceName(name)).toBe(true);
  });

  it.each([
    'wasi:http', 'wasi/http', 'wasi:/types', ':http/types', 'wasi:http/', 'Wasi:http/types', 'wasi:HTTP/types', 'wasi:http/tyPes', 'wasi:http/types@', 'wasi:http/types@v1.0.0',
    'wasi:http/types@1.0', 'wasi:http/types@01.0.0', 'wasi:http/types@1.0.0-01', 'wasi:http/types@1.0.0-', 'wasi:http/types@1.0.0+', 'wasi:http/types@1.0.0-a..b', 'wasi:http/types@0',
    'wasi:http/types@1.0.0@2.0.0',
  ])('refuses the interface %s', (name) => {
    expect(refusal(name).kind).toBe('invalid');
    expect(isInterfaceName(name)).toBe(false);
  });

  it.each(['a:b:c/d', 'a:b/c/d', 'a:b:c/d/e@1.0.0'])('does not cover nested names: %s', (name) => {
    expect(refusal(name)).toMatchObject({ kind: 'unsupported', message: expect.stringContaining('nested namespaces') });
  });

  it('takes annotated names apart', () => {
    expect(parseExternName('[constructor]file')).toEqual({ kind: 'constructor', label: 'file', key: '[constructor]file' });
    expect(parseExternName('[method]file.read-ALL')).toEqual({ kind: 'method', label: 'file', key: 'file.read-all' });
    expect(parseExternName('[static]file.open')).toEqual({ kind: 'static', label: 'file', key: 'file.open' });
  });

  it.each(['[constructor]', '[constructor]a.b', '[method]a', '[method]a.b.c', '[method].a', '[method]a.', '[static]aB.c', '[getter]a.b', '[method]', ' [method]a.b'])('refuses %s', (name) => {
    expect(refusal(name).kind).toBe('invalid');
  });

  it.each([
    ['name', 'NAME'], ['a-bc-d', 'A-bc-D'], ['[method]file.read', '[static]FILE.read'], ['[method]file.file', 'file'], ['a:b/c', 'a:b/C'], ['[constructor]x', '[constructor]X'],
  ])('finds %s and %s too much alike', (one, other) => {
    expect(parseExternName(one).key).toBe(parseExternName(other).key);
  });

  it('tells apart what the specification calls strongly unique', () => {
    const names = ['file', 'file-read', '[constructor]file', '[method]file.read', '[static]file.open', 'a:b/file', 'a:b/file@1.0.0', 'a:b/file@1.0.1'];
    expect(new Set(names.map((name) => parseExternName(name).key)).size).toBe(names.length);
  });

  it.each([
    'unlocked-dep=<my:dep>', 'unlocked-dep=<my:dep@*>', 'unlocked-dep=<my:dep@{>=1.0.0 <2.0.0}>', 'locked-dep=<my:dep@1.0.0>,integrity=<sha256-AbC+/=>', 'url=<https://a.example/b>',
    'integrity=<sha512-abc sha256-def>',
  ])('takes what tools write for dependencies: %s', (name) => {
    expect(parseExternName(name).kind).toBe('dependency');
  });

  it.each(['unlocked-dep=<>', 'unlocked-dep=<a:b@{1.0.0}>', 'locked-dep=<a:b', 'url=<a<b>', 'integrity=<md5-abc>', 'integrity=<sha256-==>'])('refuses %s', (name) => {
    expect(refusal(name).kind).toBe('invalid');
  });

  it.each([`${'a-'.repeat(4_999)}!`, `a:b/c@1.0.0-${'0a.'.repeat(3_000)}`, `integrity=<${'sha256-a '.repeat(1_000)}!>`, `unlocked-dep=<${'a:'.repeat(4_000)}!`])('is quick on a name made to be ambiguous', (name) => {
    const started = performance.now();
    expect(refusal(name)).toBeInstanceOf(LinkError);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('refuses names without end', () => {
    expect(refusal('a'.repeat(10_001)).kind).toBe('limit');
  });
});

describe(completesVersion.name, () => {
  it('holds when both parts together are a version', () => {
    expect(completesVersion('a:b/c@1', '.2.3')).toBe(true);
    expect(completesVersion('a:b/c@0.2', '.6-rc.1')).toBe(true);
    expect(completesVersion('a:b/c@0.0.1', '-alpha')).toBe(true);
  });

  it('does not hold for a name with the whole version, with none, or for half a version', () => {
    expect(completesVersion('a:b/c@1.2.3', '-rc')).toBe(false);
    expect(completesVersion('a:b/c', '.2.3')).toBe(false);
    expect(completesVersion('a:b/c@1', '.2')).toBe(false);
  });
});
