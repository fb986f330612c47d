import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Log } from '#platform/log.js';
import { assignmentOf, digestLike } from '../../../test/fixtures/assignment.js';
import { Snapshot } from './snapshot.js';
import { Statements } from './statements.js';

/** A node that knows of no keys. */
const UNSIGNED = new Statements(() => undefined);

let dir: string;
const lines: string[] = [];
const log = new Log({}, 'debug', (line) => lines.push(line));
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'whorl-snapshot-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('Snapshot', () => {
  it('is nothing on a new node', async () => {
    expect(await new Snapshot(join(dir, 'none.json'), '1', UNSIGNED, log).load()).toBeUndefined();
    expect(lines).toEqual([]);
  });

  it('gives back what was saved last, from a file that nobody else may read', async () => {
    const path = join(dir, 'snapshot.json');
    const snapshot = new Snapshot(path, '1', UNSIGNED, log);
    const last = { revision: 'b', assignments: [assignmentOf({ variables: { password: 'x' } })] };
    await Promise.all([snapshot.save({ revision: 'a', assignments: [] }), snapshot.save(last)]);
    expect(await new Snapshot(path, '1', UNSIGNED, log).load()).toEqual(last);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(dir)).toEqual(['snapshot.json']);
  });

  it('overwrites what a killed process left half written', async () => {
    const path = join(dir, 'snapshot.json');
    await writeFile(`${path}.next`, '{"revi');
    await new Snapshot(path, '1', UNSIGNED, log).save({ revision: 'c', assignments: [] });
    expect(await new Snapshot(path, '1', UNSIGNED, log).load()).toEqual({ revision: 'c', assignments: [] });
  });

  it.each(['', '{"revision":"a"', '{"revision":1}\n', '{"assignment":{"app":"../x"}}\n{"revision":"a"}\n', '{"gone":"a/b"}\n', '{"rev\n{"revision":"a"}\n'])('does not start from a damaged file: %s', async (text) => {
    const path = join(dir, 'damaged.json');
    await writeFile(path, text);
    expect(await new Snapshot(path, '1', UNSIGNED, log).load()).toBeUndefined();
    expect(lines.pop()).toMatch(/damaged/);
  });

  it('adds a change to the file without writing the rest again', async () => {
    const path = join(dir, 'many.json');
    const snapshot = new Snapshot(path, '1', UNSIGNED, log);
    const assignments = Array.from({ length: 100 }, (_, i) => assignmentOf({ app: `app${i}` as ReturnType<typeof assignmentOf>['app'] }));
    await snapshot.save({ revision: 'a', assignments });
    const { size } = await stat(path);
    const changed = assignmentOf({ app: assignments[7]!.app, generation: 2 });
    const next = [...assignments.filter((each) => each !== assignments[7] && each !== assignments[8]), changed];
    await snapshot.save({ revision: 'b', assignments: next });
    expect((await stat(path)).size - size).toBeLessThan(2 * size / 100);
    const loaded = await new Snapshot(path, '1', UNSIGNED, log).load();
    expect(loaded!.revision).toBe('b');
    expect(new Set(loaded!.assignments)).toEqual(new Set(next));
  });

  it('passes over a change that is not whole, and can be added to after that', async () => {
    const path = join(dir, 'torn.json');
    await new Snapshot(path, '1', UNSIGNED, log).save({ revision: 'a', assignments: [assignmentOf()] });
    await appendFile(path, `${JSON.stringify({ gone: 'app/production' })}\n{"revisi`);
    const snapshot = new Snapshot(path, '1', UNSIGNED, log);
    expect(await snapshot.load()).toEqual({ revision: 'a', assignments: [assignmentOf()] });
    await snapshot.save({ revision: 'b', assignments: [] });
    expect(await new Snapshot(path, '1', UNSIGNED, log).load()).toEqual({ revision: 'b', assignments: [] });
  });

  it('keeps which artifacts were prepared, for the same release alone', async () => {
    const path = join(dir, 'proofs.json');
    const snapshot = new Snapshot(path, '1', UNSIGNED, log);
    const [one, two] = [digestLike('1'), digestLike('2')];
    await snapshot.save({ revision: 'a', assignments: [] });
    await Promise.all([snapshot.prove(one), snapshot.prove(two)]);
    snapshot.disprove(two);
    await snapshot.save({ revision: 'b', assignments: [] });
    const [same, other] = [new Snapshot(path, '1', UNSIGNED, log), new Snapshot(path, '2', UNSIGNED, log)];
    await Promise.all([same.load(), other.load()]);
    expect([same.isProved(one), same.isProved(two), other.isProved(one)]).toEqual([true, false, false]);
  });

  it('does not grow with the number of changes', async () => {
    const path = join(dir, 'long.json');
    const snapshot = new Snapshot(path, '1', UNSIGNED, log);
    const variables = { text: 'x'.repeat(100_000) };
    for (let generation = 1; generation <= 60; generation++) await snapshot.save({ revision: String(generation), assignments: [assignmentOf({ generation, variables })] });
    expect((await stat(path)).size).toBeLessThan(2_000_000);
    expect((await new Snapshot(path, '1', UNSIGNED, log).load())!.assignments[0]!.generation).toBe(60);
  });

  it('leaves out a line that is damaged, serves the rest, and asks for everything', async () => {
    const path = join(dir, 'line.json');
    const [one, two] = ['one', 'two'].map((app) => assignmentOf({ app: app as ReturnType<typeof assignmentOf>['app'] }));
    await new Snapshot(path, '1', UNSIGNED, log).save({ revision: 'a', assignments: [one!, two!] });
    await writeFile(path, (await readFile(path, 'utf8')).replace('"app":"one"', '"app":\0'));
    const snapshot = new Snapshot(path, '1', UNSIGNED, log);
    expect(await snapshot.load()).toEqual({ revision: '', assignments: [two] });
    expect(lines.pop()).toMatch(/left out/);
    await snapshot.save({ revision: 'b', assignments: [one!, two!] });
    expect((await new Snapshot(path, '1', UNSIGNED, log).load())!.revision).toBe('b');
  });

  it('logs what the disk does not take, and goes on', async () => {
    const snapshot = new Snapshot(join(dir, 'missing', 'snapshot.json'), '1', UNSIGNED, log);
    await snapshot.save({ revision: 'd', assignments: [] });
    expect(lines.pop()).toMatch(/not written/);
  });
});
