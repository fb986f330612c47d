import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { buildWat } from '../../../test/fixtures/build-wat.js';
import { Random } from '../../../test/fixtures/random.js';
import { BuildError } from './build-error.js';
import { buildComponent } from './build-component.js';

const OPTIONS = { memoryCapBytes: 8 * 1024 * 1024 };

async function build(wat: string) {
  return buildComponent(await parse(wat), OPTIONS);
}

describe(buildComponent.name, () => {
  it('makes of an HTTP handler one rewritten module and a plan', async () => {
    const built = await buildComponent(await buildWat('loop'), OPTIONS);
    expect(built).toMatchObject({ handlers: ['wasi-http-0.2'], componentized: false, exports: ['wasi:http/incoming-handler@0.2.3'] });
    expect(built.imports).toEqual(['wasi:io/error@0.2.3', 'wasi:io/streams@0.2.3', 'wasi:http/types@0.2.3']);
    expect(built.plan.exports).toEqual({ 'wasi:http/incoming-handler@0.2.3': { k: 'instance', exports: { handle: { k: 'func', lift: 0 } } } });
    expect(built.plan.steps).toHaveLength(1);
    expect(built.plan.modules).toMatchObject([{ memory: { minPages: 1, maxPages: 128 }, metered: true, start: false }]);
  });

  it('names modules by the digest of what is stored', async () => {
    const { plan, modules } = await buildComponent(await buildWat('loop'), OPTIONS);
    const digests = modules.map((bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    expect(plan.modules.map(({ digest, bytes }) => [digest, bytes])).toEqual(digests.map((digest, i) => [digest, modules[i]!.length]));
  });

  it('gives a plan that survives JSON, and the same one each time', async () => {
    const component = await buildWat('loop');
    const [one, two] = [await buildComponent(component, OPTIONS), await buildComponent(component, OPTIONS)];
    expect(JSON.parse(JSON.stringify(one.plan))).toEqual(one.plan);
    expect(JSON.stringify(two.plan)).toBe(JSON.stringify(one.plan));
  });

  it('stores equal modules once', async () => {
    const module = '(func (export "f") (result i32) (i32.const 1))';
    const { plan, modules } = await build(`(component (core module ${module}) (core module ${module})
      (core instance (instantiate 0)) (core instance (instantiate 1)))`);
    expect(modules).toHaveLength(1);
    expect(plan.steps.map((step) => step.module)).toEqual([0, 0]);
  });

  it('makes a component of a preview 1 program first', async () => {
    const built = await build(`(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (memory (export "memory") 1) (func (export "_start")))`);
    expect(built).toMatchObject({ componentized: true, handlers: ['command'] });
    expect(built.imports).toContainEqual(expect.stringMatching(/^wasi:cli\/exit@0\.2\.\d+$/));
  });

  it.each([
    ['text', Buffer.from('hello, world'), 'not-wasm', 'neither a WebAssembly component (version 0x0d) nor a core module (at byte 0)'],
    ['a component that is cut off', Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 7, 9]), 'malformed', 'length is out of bounds (at byte 10)'],
    ['a core module that is cut off', Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 9]), 'invalid', 'core module is not valid WebAssembly'],
  ])('refuses %s', async (_, bytes, kind, message) => {
    await expect(buildComponent(bytes, OPTIONS)).rejects.toMatchObject({ kind, message: expect.stringContaining(message) });
  });

  it('refuses memories that are over the cap, alone or together', async () => {
    await expect(build('(component (core module $m (memory 129)) (core instance (instantiate $m)))')).rejects.toMatchObject({
      kind: 'limit', message: 'core module 0: the memory wants 129 pages at the start, the limit is 128 pages',
    });
    await expect(build('(component (core module $m (memory 70)) (core instance (instantiate $m)) (core instance (instantiate $m)))')).rejects.toMatchObject({
      kind: 'limit', message: 'the memories want 140 pages together at the start, the limit is 128 pages',
    });
  });

  it('gives valid modules or an error of its own for flipped bytes', async () => {
    const seed = Date.now() & 0xffff_ffff;
    const random = new Random(seed);
    const component = await buildWat('loop');
    let built = 0;
    for (let round = 0; round < 1_000; round++) {
      const bytes = component.slice();
      for (let flips = 1 + random.below(2); flips > 0; flips--) bytes[8 + random.below(bytes.length - 8)] = random.below(256);
      try {
        const { modules } = await buildComponent(bytes, OPTIONS);
        built++;
        if (!modules.every((module) => WebAssembly.validate(module as Uint8Array<ArrayBuffer>))) throw new Error('a module is not valid');
      } catch (error) {
        if (!(error instanceof BuildError)) throw new Error(`seed ${seed}, round ${round}`, { cause: error });
      }
    }
    expect(built).toBeGreaterThan(0);
  });

  it('says where bytes that were cut off, doubled or taken out make a component malformed', async () => {
    const seed = Date.now() & 0xffff_ffff;
    const random = new Random(seed);
    const component = await buildWat('loop');
    for (let round = 0; round < 600; round++) {
      const [from, count] = [8 + random.below(component.length - 8), 1 + random.below(40)];
      const edited = random.pick([
        () => component.subarray(0, from),
        () => Buffer.concat([component.subarray(0, from), component.subarray(from + count)]),
        () => Buffer.concat([component.subarray(0, from + count), component.subarray(from)]),
        // a count or size of nearly 2^32
        () => Buffer.concat([component.subarray(0, from), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), component.subarray(from + 1)]),
      ])();
      try {
        await buildComponent(new Uint8Array(edited), OPTIONS);
      } catch (error) {
        if (!(error instanceof BuildError)) throw new Error(`seed ${seed}, round ${round}`, { cause: error });
        if (error.kind === 'malformed') expect(error.message).toMatch(/at byte \d+/);
      }
    }
  });

  it('names the core module that is refused', async () => {
    await expect(build('(component (core module) (core module (memory 1 1 shared)))')).rejects.toMatchObject({
      kind: 'unsupported', message: expect.stringMatching(/^core module 1 \(at byte \d+\): a shared memory is not supported/),
    });
  });
});
