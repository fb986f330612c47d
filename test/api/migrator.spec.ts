import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrate } from '#platform/prisma/migrator.js';
import { DatabaseFixture } from './database.fixture.js';

const ROOT = join(import.meta.dirname, '../..');
const MIGRATIONS = join(ROOT, 'prisma/migrations');

describe(migrate.name, () => {
  let fixture: DatabaseFixture;
  let url: string;
  let dir: string;
  beforeAll(async () => {
    fixture = await DatabaseFixture.start();
  });
  afterAll(() => fixture.stop());
  beforeEach(async () => {
    url = await fixture.create();
    dir = await mkdtemp(join(tmpdir(), 'whorl-migrations-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const add = async (name: string, sql: string): Promise<void> => {
    await mkdir(join(dir, name), { recursive: true });
    await writeFile(join(dir, name, 'migration.sql'), sql);
  };

  it('applies what is missing, in order, and nothing twice', async () => {
    await add('1_a', 'CREATE TABLE a (id int);');
    expect(await migrate(url, dir)).toEqual(['1_a']);
    await add('3_c', 'ALTER TABLE b ADD COLUMN x int;');
    await add('2_b', 'CREATE TABLE b (id int);');
    expect(await migrate(url, dir)).toEqual(['2_b', '3_c']);
    expect(await migrate(url, dir)).toEqual([]);
  });

  it('is safe for several starters at once', async () => {
    await add('1_a', 'CREATE TABLE a (id int); SELECT pg_sleep(0.2);');
    await add('2_b', 'CREATE TABLE b (id int);');
    const applied = await Promise.all(Array.from({ length: 6 }, () => migrate(url, dir)));
    expect(applied.filter((names) => names.length > 0)).toEqual([['1_a', '2_b']]);
  });

  it('takes function bodies whole', async () => {
    await add('1_f', 'CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$;');
    await migrate(url, dir);
    expect(await fixture.query(url, 'SELECT f()')).toEqual([{ f: 1 }]);
  });

  it('refuses a migration that was edited after it was applied', async () => {
    await add('1_a', 'CREATE TABLE a (id int);');
    await migrate(url, dir);
    await add('1_a', 'CREATE TABLE a (id bigint);');
    await expect(migrate(url, dir)).rejects.toThrow('migration 1_a was edited after it was applied');
  });

  it('says which migration failed, and refuses to go on until somebody looked at it', async () => {
    await add('1_a', 'CREATE TABLE a (id int); CREATE TABLE a (id int);');
    await expect(migrate(url, dir)).rejects.toThrow(/migration 1_a failed: .*already exists/);
    await expect(migrate(url, dir)).rejects.toThrow('the database has failed migrations: 1_a');
    // A script is one transaction: nothing of it is left.
    expect(await fixture.query(url, `SELECT 1 FROM pg_tables WHERE tablename = 'a'`)).toEqual([]);
  });

  it('brings rollouts of earlier releases to the states of this one', async () => {
    const all = (await readdir(MIGRATIONS)).sort();
    const at = all.indexOf('20261123150000_rollout_steps');
    for (const name of all.slice(0, at)) await cp(join(MIGRATIONS, name), join(dir, name), { recursive: true });
    await migrate(url, dir);
    const before = ['awaiting-approval', 'preparing', 'switching', 'done', 'failed', 'rejected', 'superseded'];
    await fixture.query(url, `INSERT INTO org (id, name) VALUES (gen_random_uuid(), 'o')`);
    await fixture.query(url, `INSERT INTO app (id, org_id, name) SELECT gen_random_uuid(), id, 'a' FROM org WHERE name = 'o'`);
    await fixture.query(url, `INSERT INTO channel (id, app_id, name, generation, first_generation, serve) SELECT gen_random_uuid(), id, 'production', 1, 0, '[]' FROM app`);
    for (const [i, state] of before.entries()) {
      await fixture.query(url, `INSERT INTO rollout (channel_id, version, cause, caused_by, state, generation) SELECT id, ${i}, 'push', 'ada', '${state}', ${state === 'switching' || state === 'done' ? i : 'NULL'} FROM channel`);
    }
    for (const name of all.slice(at)) await cp(join(MIGRATIONS, name), join(dir, name), { recursive: true });
    await migrate(url, dir);
    expect(await fixture.query(url, `SELECT state, phase, strategy, progress->>'index' AS step, progress->>'state' AS at, failure->>'code' AS code FROM rollout ORDER BY version`)).toEqual([
      { state: 'paused', phase: 'awaiting-approval', strategy: 'now', step: null, at: null, code: null },
      { state: 'progressing', phase: 'preparing', strategy: 'now', step: null, at: null, code: null },
      { state: 'progressing', phase: 'switching', strategy: 'now', step: '0', at: 'progressing', code: null },
      { state: 'promoted', phase: 'switching', strategy: 'now', step: '0', at: 'promoted', code: null },
      { state: 'rolled_back', phase: 'preparing', strategy: 'now', step: null, at: null, code: null },
      { state: 'aborted', phase: 'preparing', strategy: 'now', step: null, at: null, code: null },
      { state: 'aborted', phase: 'preparing', strategy: 'now', step: null, at: null, code: 'API_ROLLOUT_SUPERSEDED' },
    ]);
  });

  it('leaves a database that Prisma agrees with, and the schema and the migrations say the same', async () => {
    await migrate(url, MIGRATIONS);
    const prisma = async (...args: string[]): Promise<string> => {
      const env = { ...process.env, DATABASE_URL: url, CHECKPOINT_DISABLE: '1', NODE_OPTIONS: '' };
      const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/prisma/build/index.js'), ...args], { cwd: ROOT, env });
      return stdout;
    };
    expect(await prisma('migrate', 'status')).toContain('Database schema is up to date');
    expect(await prisma('migrate', 'diff', '--from-config-datasource', '--to-schema', 'prisma/schema.prisma', '--script')).toContain('This is an empty migration');
  });
});
