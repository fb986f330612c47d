import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DatabaseFixture } from './database.fixture.js';

/** The process as it is run: what `npm run build` made. */
const PROGRAM = join(import.meta.dirname, '../../dist/bin/control-plane.js');
const TOKEN = 'token-of-the-operator';

/** The same for every replica. */
const SECRET_KEY = randomBytes(32).toString('base64url');

describe('the control plane as a process', () => {
  let fixture: DatabaseFixture;
  let dir: string;
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    fixture = await DatabaseFixture.start();
    dir = await mkdtemp(join(tmpdir(), 'whorl-boot-'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
  afterAll(async () => {
    await fixture.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const start = (databaseUrl: string, env: Record<string, string> = {}): { child: ChildProcess; stderr: () => string } => {
    const child = fork(PROGRAM, [], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        PATH: process.env['PATH'], DATABASE_URL: databaseUrl, WHORL_API_PORT: '0', WHORL_STORAGE_DIR: dir, WHORL_SECRET_KEY: SECRET_KEY,
        WHORL_ADMIN_TOKEN: TOKEN, ...env,
      },
    });
    children.push(child);
    let stderr = '';
    child.stderr!.on('data', (data: Buffer) => (stderr += data.toString()));
    return { child, stderr: () => stderr };
  };
  const listening = async (child: ChildProcess): Promise<number> => ((await once(child, 'message')) as [{ port: number }])[0].port;

  it('says where it listens, serves, and ends with 0 on SIGTERM', async () => {
    const { child } = start(await fixture.create());
    const port = await listening(child);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/v1/apps`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('describes every one of its routes', async () => {
    const { child } = start(await fixture.create());
    const port = await listening(child);
    const document = (await (await fetch(`http://127.0.0.1:${port}/openapi.json`)).json()) as { paths: Record<string, Record<string, { responses: object }>> };
    expect(Object.keys(document.paths)).toContain('/v1/blobs/{digest}');
    for (const operations of Object.values(document.paths)) {
      for (const operation of Object.values(operations)) expect(Object.keys(operation.responses).length).toBeGreaterThan(1);
    }
  });

  it('ends when the process that started it is gone', async () => {
    const { child } = start(await fixture.create());
    await listening(child);
    child.disconnect();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('starts several at once on a new database', async () => {
    const url = await fixture.create();
    const ports = await Promise.all([1, 2, 3].map(() => listening(start(url).child)));
    for (const port of ports) expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  });

  it.each([
    ['an unknown variable', { WHORL_COLOUR: 'red' }, 'WHORL_COLOUR: unknown variable'],
    ['a bad value', { WHORL_SECRET_KEY: 'short' }, 'WHORL_SECRET_KEY: expected 32 bytes'],
    ['no database', { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' }, 'ECONNREFUSED'],
  ])('ends with 1 and says why: %s', async (_what, env, reason) => {
    const { child, stderr } = start(await fixture.create(), env);
    expect(await once(child, 'exit')).toEqual([1, null]);
    expect(stderr()).toContain(reason);
  });

  it('ends with 1 and says why: another secret key than the one that the platform\'s keys are sealed with', async () => {
    const url = await fixture.create();
    await listening(start(url).child);
    const { child, stderr } = start(url, { WHORL_SECRET_KEY: randomBytes(32).toString('base64url') });
    expect(await once(child, 'exit')).toEqual([1, null]);
    expect(stderr()).toContain('sealed with another WHORL_SECRET_KEY');
  });

  it('ends with 1 and says why: a port in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { child, stderr } = start(await fixture.create(), { WHORL_API_PORT: String((taken.address() as { port: number }).port) });
    expect(await once(child, 'exit')).toEqual([1, null]);
    expect(stderr()).toContain('EADDRINUSE');
    taken.close();
  });
});
