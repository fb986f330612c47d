import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { findProcess } from './process.js';

describe(findProcess.name, () => {
  it('gives the command line of one that is alive', () => {
    expect(findProcess(process.pid)).toContain('jest');
  });

  it('finds nothing behind an id that nobody has', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    expect(findProcess(child.pid ?? 0)).toBeUndefined();
  });

  it('takes one that ended and was not waited for as gone', async () => {
    // A shell becomes sleep, which does not know that it has a child.
    const careless = spawn('/bin/sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = (await once(careless.stdout, 'data')) as [Buffer];
    await sleep(100);
    expect(findProcess(Number(text.toString()))).toBeUndefined();
    careless.kill();
  });
});
