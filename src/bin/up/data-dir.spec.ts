import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findProcess } from '#platform/process.js';
import { DataDir } from './data-dir.js';

let parent: string;
let path: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'whorl-data-dir-'));
  path = join(parent, 'deep', 'data');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const sleeper = (): ChildProcess => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'whorl-sleeper'], { detached: true, stdio: 'ignore' });

describe(DataDir.name, () => {
  it('makes the folder, closed to others, and gives it back', async () => {
    const dir = await DataDir.open(path);
    expect(statSync(path).mode & 0o066).toBe(0);
    expect(dir.recovered).toBe(false);
    dir.close();
    (await DataDir.open(path)).close();
  });

  it('belongs to one at a time, and names the one that has it', async () => {
    const dir = await DataDir.open(path);
    await expect(DataDir.open(path)).rejects.toEqual(expect.objectContaining({ code: 'UP_DATA_DIR_IN_USE', message: expect.stringContaining(`pid ${process.pid}`) }));
    dir.close();
  });

  it('waits for an owner that is stopping', async () => {
    const dir = await DataDir.open(path);
    dir.markStopping();
    setTimeout(() => dir.close(), 100);
    const next = await DataDir.open(path);
    expect(next.recovered).toBe(false);
    next.close();
  });

  it('is free again when its owner was killed, and says so', async () => {
    const module = new URL('../../../dist/bin/up/data-dir.js', import.meta.url).href;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', `const { DataDir } = await import(${JSON.stringify(module)}); globalThis.dir = await DataDir.open(${JSON.stringify(path)}); console.log('open'); setInterval(() => {}, 1000);`], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(owner.stdout, 'data');
    await expect(DataDir.open(path)).rejects.toEqual(expect.objectContaining({ code: 'UP_DATA_DIR_IN_USE', message: expect.stringContaining(`pid ${owner.pid}`) }));
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    const dir = await DataDir.open(path);
    expect(dir.recovered).toBe(true);
    dir.close();
  });

  it('ends what a killed owner left running, and nobody else', async () => {
    const [left, stranger] = [sleeper(), sleeper()];
    try {
      (await DataDir.open(path)).close();
      const children = [{ pid: left.pid, program: 'whorl-sleeper' }, { pid: stranger.pid, program: 'another-program' }];
      writeFileSync(join(path, 'owner.json'), JSON.stringify({ pid: 1, since: '', children }));
      const ended = once(left, 'exit');
      const dir = await DataDir.open(path);
      await ended;
      expect(findProcess(stranger.pid ?? 0)).toContain('whorl-sleeper');
      dir.close();
    } finally {
      for (const child of [left, stranger]) child.kill('SIGKILL');
    }
  });

  it('forgets a child that ended in order', async () => {
    const dir = await DataDir.open(path);
    dir.add({ pid: 4_000_000, program: 'x' });
    dir.remove(4_000_000);
    dir.close();
    expect(existsSync(join(path, 'owner.json'))).toBe(false);
  });

  it('refuses a place that cannot be written', async () => {
    writeFileSync(join(parent, 'file'), '');
    await expect(DataDir.open(join(parent, 'file', 'data'))).rejects.toEqual(expect.objectContaining({ code: 'UP_DATA_DIR_UNWRITABLE', message: expect.stringContaining(join(parent, 'file', 'data')) }));
  });
});
