import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StartCount } from './start-count.js';

describe('the count of starts', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'whorl-start-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const next = () => StartCount.next(join(dir, 'start-count'));

  it('grows with each start', async () => {
    expect([(await next()).value, (await next()).value, (await next()).value]).toEqual([1, 2, 3]);
  });

  it('begins at 1 when the file is damaged', async () => {
    writeFileSync(join(dir, 'start-count'), 'no number');
    expect((await next()).value).toBe(1);
  });

  it('goes on after what others know of the node, and keeps that', async () => {
    const count = await next();
    await count.raiseAbove(41);
    await count.raiseAbove(7);
    expect([count.value, readFileSync(join(dir, 'start-count'), 'utf8')]).toEqual([42, '42\n']);
    expect((await next()).value).toBe(43);
  });
});
