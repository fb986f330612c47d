import { describe, expect, it } from '@jest/globals';
import { componentEmbed, parse } from '@bytecodealliance/jco';
import { BuildError } from './build-error.js';
import { adapterKind, componentize } from './componentize.js';
import { readCoreModule, type CoreModule } from './core/core-module.js';
import { decodeComponent } from './decode/component.js';

const PROGRAM = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
  (memory (export "memory") 1) (func (export "_start")))`;

async function module(wat: string): Promise<CoreModule> {
  return readCoreModule(await parse(wat));
}

async function exportsOf(core: CoreModule): Promise<string[]> {
  return decodeComponent(await componentize(core)).defs.flatMap((def) => (def.k === 'export' ? [def.name] : []));
}

describe(componentize.name, () => {
  it('makes a command of a preview 1 program', async () => {
    const core = await module(PROGRAM);
    expect(adapterKind(core)).toBe('command');
    expect(await exportsOf(core)).toEqual([expect.stringMatching(/^wasi:cli\/run@0\.2\.\d+$/)]);
  });

  it('makes a component of a library by the world that is embedded in it', async () => {
    const binary = await parse(`(module
      (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
      (memory (export "memory") 1) (func (export "_start")) (func (export "twice") (param i32) (result i32) (i32.const 2)))`);
    const core = readCoreModule(await componentEmbed({ binary, witSource: 'package a:b; world w { export twice: func(n: u32) -> u32; }', world: 'w' }));
    expect(adapterKind(core)).toBe('reactor');
    expect(await exportsOf(core)).toEqual(['twice']);
  });

  it('says what a module imports that nobody can give', async () => {
    const failed = componentize(await module('(module (import "env" "magic" (func)))'));
    await expect(failed).rejects.toThrow(BuildError);
    await expect(failed).rejects.toMatchObject({ kind: 'componentize', message: expect.stringMatching(/^the core module cannot be made into a component: .*env/s) });
  });
});
