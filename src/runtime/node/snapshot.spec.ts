import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Log } from '#platform/log.js';
import { assignmentOf } from '../../../test/fixtures/assignment.js';
import { Snapshot } from './snapshot.js';

let dir: string;
const lines: string[] = [];
const log = new Log({}, 'debug', (line) => lines.push(line));
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'whorl-snapshot-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('Snapshot', () => {
  it('is nothing on a new node', async () => {
    expect(await new Snapshot(join(dir, 'none.json'), log).load()).toBeUndefined();
    expect(lines).toEqual([]);
  });

  it('gives back what was saved last, from a file that nobody else may read', async () => {
    const path = join(dir, 'snapshot.json');
    const snapshot = new Snapshot(path, log);
    const last = { revision: 'b', assignments: [assignmentOf({ variables: { password: 'x' } })] };
    await Promise.all([snapshot.save({ revision: 'a', assignments: [] }), snapshot.save(last)]);
    expect(await new Snapshot(path, log).load()).toEqual(last);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(dir)).toEqual(['snapshot.json']);
  });

  it('overwrites what a killed process left half written', async () => {
    const path = join(dir, 'snapshot.json');
    await writeFile(`${path}.next`, '{"revi');
    await new Snapshot(path, log).save({ revision: 'c', assignments: [] });
    expect(await new Snapshot(path, log).load()).toEqual({ revision: 'c', assignments: [] });
  });

  it.each(['', '{"revision":"a"', '{"revision":1,"assignments":[]}', '{"revision":"a","assignments":[{"app":"../x"}]}'])('does not start from a damaged file: %s', async (text) => {
    const path = join(dir, 'damaged.json');
    await writeFile(path, text);
    expect(await new Snapshot(path, log).load()).toBeUndefined();
    expect(lines.pop()).toMatch(/damaged/);
  });

  it('logs what the disk does not take, and goes on', async () => {
    const snapshot = new Snapshot(join(dir, 'missing', 'snapshot.json'), log);
    await snapshot.save({ revision: 'd', assignments: [] });
    expect(lines.pop()).toMatch(/not written/);
  });
});
