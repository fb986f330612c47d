import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FileLock } from './file-lock.js';

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'whorl-lock-'));
  path = join(dir, 'lock');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe(FileLock.name, () => {
  it('is held by one at a time, in a file that others cannot open', () => {
    const lock = FileLock.tryAcquire(path);
    expect(FileLock.tryAcquire(path)).toBeUndefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    lock?.release();
    FileLock.tryAcquire(path)?.release();
  });

  it('waits for the holder, not longer than told', async () => {
    const lock = FileLock.tryAcquire(path);
    await expect(FileLock.acquire(path, 60)).rejects.toThrow(`${path} has been locked by another process for 60 ms`);
    setTimeout(() => lock?.release(), 60);
    (await FileLock.acquire(path, 5_000)).release();
  });

  it('is let go of when its holder is killed', async () => {
    const source = `const { DatabaseSync } = await import('node:sqlite'); globalThis.held = new DatabaseSync(${JSON.stringify(path)}); held.exec('BEGIN EXCLUSIVE'); console.log('held'); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    expect(FileLock.tryAcquire(path)).toBeUndefined();
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const lock = FileLock.tryAcquire(path);
    expect(lock).toBeDefined();
    lock?.release();
  });

  it('says so when the folder is missing', () => {
    expect(() => FileLock.tryAcquire(join(dir, 'missing', 'lock'))).toThrow('ENOENT');
  });
});
