import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type EmbeddedPostgres, startPostgres } from '#platform/postgres/embedded-postgres.js';
import { findPostmaster } from '#platform/postgres/postmaster.js';
import { chooseRunAs } from '#platform/postgres/run-as.js';

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? it : it.skip;

let parent: string;
let dir: string;
let started: EmbeddedPostgres[];

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'whorl-postgres-'));
  chmodSync(parent, 0o755);
  dir = join(parent, 'postgres');
  started = [];
});

afterEach(async () => {
  for (const server of started) await server.stop();
  rmSync(parent, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedPostgres> {
  const server = await startPostgres({ dir });
  started.push(server);
  return server;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

/** The whole server at once, as when the machine's memory runs out or someone kills the tree. */
async function killServer(pid: number): Promise<void> {
  const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout.split('\n').map(Number).filter((child) => child > 0);
  for (const one of [pid, ...children]) process.kill(one, 'SIGKILL');
  while (findPostmaster(join(dir, 'cluster', 'data'))) await sleep(5);
}

describe(startPostgres.name, () => {
  it('makes a durable UTF8 cluster with checksums that asks for its password', async () => {
    const { url } = await start();
    const settings = await query(url, "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'data_checksums', 'server_encoding', 'listen_addresses', 'synchronous_commit')");
    expect(Object.fromEntries(settings.map((row) => [row['name'], row['setting']]))).toEqual({
      fsync: 'on', data_checksums: 'on', server_encoding: 'UTF8', listen_addresses: '127.0.0.1', synchronous_commit: 'on',
    });
    const wrong = new URL(url);
    wrong.password = 'wrong';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(statSync(join(dir, 'cluster', 'password')).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'cluster', 'data')).mode & 0o777).toBe(0o700);
    expect(readdirSync(dir).filter((name) => name.startsWith('cluster-'))).toEqual([]);
  });

  it('keeps what was written over a stop, on the same URL', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 1 AS one');
    await first.stop();
    expect(first.isRunning()).toBe(false);
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(second.url).toBe(first.url);
    expect(await query(second.url, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it('takes over a server that is already running', async () => {
    const first = await start();
    const second = await start();
    expect(second).toMatchObject({ adopted: true, url: first.url, pid: first.pid });
  });

  it('loses no acknowledged row when the server is killed, and comes back', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept (n int)');
    for (let n = 0; n < 20; n++) await query(first.url, `INSERT INTO kept VALUES (${n})`);
    await killServer(first.pid);
    expect(first.isRunning()).toBe(false);
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await query(second.url, 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 20 }]);
  });

  it('comes back when only the main process of the server was killed', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 1 AS one');
    process.kill(first.pid, 'SIGKILL');
    const second = await start();
    expect(await query(second.url, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it('gives several first starters one server', async () => {
    const servers = await Promise.all([start(), start(), start()]);
    expect(new Set(servers.map((server) => server.url)).size).toBe(1);
    expect(servers.filter((server) => !server.adopted)).toHaveLength(1);
  });

  it('starts over after a first start that was cut off in the middle', async () => {
    mkdirSync(join(dir, 'cluster-cutoff', 'data'), { recursive: true });
    writeFileSync(join(dir, 'cluster-cutoff', 'data', 'PG_VERSION'), '18\n');
    const { url } = await start();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(readdirSync(dir)).not.toContain('cluster-cutoff');
  });

  it('takes another port when its own is taken meanwhile', async () => {
    const first = await start();
    await first.stop();
    const taken = spawn(process.execPath, ['-e', `require('net').createServer().listen(${new URL(first.url).port}, '127.0.0.1', () => console.log('up'))`], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => taken.stdout.once('data', resolve));
      const second = await start();
      expect(new URL(second.url).port).not.toBe(new URL(first.url).port);
      expect(await query(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    } finally {
      taken.kill();
    }
  });

  it('is not held up by the pid file of a zombie or of a stranger', async () => {
    const first = await start();
    await first.stop();
    // The child of a process that never waits for it stays a zombie.
    const careless = spawn('/bin/sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const zombie = await new Promise<string>((resolve) => { careless.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())); });
      await sleep(100);
      for (const pid of [zombie, String(process.pid)]) {
        writeFileSync(join(dir, 'cluster', 'data', 'postmaster.pid'), `${pid}\n${join(dir, 'cluster', 'data')}\n1\n5432\n\n127.0.0.1\n\nready\n`);
        const again = await startPostgres({ dir });
        expect(again.adopted).toBe(false);
        await again.stop();
      }
    } finally {
      careless.kill();
    }
  });

  it('says what PostgreSQL said when the data is damaged', async () => {
    const first = await start();
    await first.stop();
    rmSync(join(dir, 'cluster', 'data', 'global', 'pg_control'));
    await expect(start()).rejects.toMatchObject({ code: 'UP_POSTGRES_FAILED', message: expect.stringContaining('pg_control') });
  });

  asRoot('runs for root below a folder that is closed to others, without being root itself', async () => {
    chmodSync(parent, 0o700);
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 1 AS one');
    expect(await query(first.url, "SELECT pg_read_file('PG_VERSION') AS major")).toEqual([{ major: '18\n' }]);
    await first.stop();
    // The owner changes with the way it runs: the data stays in use.
    chmodSync(parent, 0o755);
    const second = await start();
    expect(readFileSync(`/proc/${second.pid}/status`, 'utf8')).toMatch(/^Uid:\s+65534/m);
    expect(await query(second.url, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
    await second.stop();
    chmodSync(parent, 0o700);
    const third = await start();
    expect(await query(third.url, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });
});

describe(chooseRunAs.name, () => {
  it('says so when the program does not run on this machine', () => {
    expect(() => chooseRunAs(join(dir, 'no-such-program'), parent)).toThrow(expect.objectContaining({ code: 'UP_POSTGRES_MISSING' }));
  });
});
