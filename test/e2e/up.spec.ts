import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { packBundle } from '#contract/bundle/pack.js';
import { findProcess } from '#platform/process.js';
import { get } from '../../bench/lib/load.mjs';
import { freePort } from '../../bench/lib/platform.mjs';
import { buildWat } from '../fixtures/build-wat.js';

/** `whorl up` as a user starts, stops and loses it. Runs what `npm run build` made. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = join(ROOT, 'dist/bin/up.js');
const MANIFEST = `spin_manifest_version = 2
application = { name = "kept" }
[[trigger.http]]
route = "/..."
component = "kept"
[component.kept]
source = "app.wasm"
`;

let parent: string;
let dir: string;
let apiPort: number;
let httpPort: number;
let runs: Up[];

beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'whorl-up-'));
  dir = join(parent, 'data');
  [apiPort, httpPort] = [await freePort(), await freePort()];
  runs = [];
});
afterEach(async () => {
  for (const run of runs) await run.end();
  rmSync(parent, { recursive: true, force: true });
}, 60_000);

/** One run of the launcher. */
class Up {
  output = '';
  private readonly child: ChildProcess;
  readonly ended: Promise<number | string>;

  constructor(args: string[], env: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [PROGRAM, ...args], { cwd: parent, env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => { this.output += text; });
    this.ended = once(this.child, 'close').then(([code, signal]) => (signal ?? code) as number | string);
    runs.push(this);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async ready(): Promise<this> {
    await until(() => /^whorl ready$/m.test(this.output) || this.child.exitCode !== null, () => this.output);
    if (this.child.exitCode !== null) throw new Error(`ended instead of serving:\n${this.output}`);
    return this;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.kill('SIGTERM');
    await this.ended;
  }
}

const up = (...flags: string[]): Up => new Up(['--data-dir', dir, '--api-port', `${apiPort}`, '--http-port', `${httpPort}`, '--no-example', ...flags]);

async function until(good: () => boolean | Promise<boolean>, story: () => string = () => ''): Promise<void> {
  const deadline = performance.now() + 50_000;
  while (!(await good())) {
    if (performance.now() > deadline) throw new Error(`waited too long\n${story()}`);
    await sleep(20);
  }
}

const token = (): string => readFileSync(join(dir, 'admin-token'), 'utf8').trim();
async function api(method: string, path: string, body?: Uint8Array): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`http://127.0.0.1:${apiPort}${path}`, {
    method, body: body as Uint8Array<ArrayBuffer>, headers: { authorization: `Bearer ${token()}`, ...(body && { 'content-type': 'application/gzip' }) },
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}
const call = (): Promise<{ status: number; body: string }> => get({ port: httpPort, host: 'kept.localhost', path: '/ok', timeoutMs: 30_000 });

interface Process { pid: number; ppid: number; command: string }
const processes = (): Process[] =>
  spawnSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).stdout.trim().split('\n').map((line) => {
    const [, pid, ppid, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return { pid: Number(pid), ppid: Number(ppid), command: command ?? '' };
  });
/** Everything below the launcher, and the PostgreSQL of this data folder. */
function family(root: number): Process[] {
  const all = processes();
  const found = all.filter(({ pid, command }) => pid === root || (command.includes(dir) && command.includes('postgres')));
  for (const one of found) found.push(...all.filter(({ ppid, pid }) => ppid === one.pid && !found.some((known) => known.pid === pid)));
  return found;
}
const childOf = (root: number, script: string): number => family(root).find(({ command }) => command.includes(`bin/${script}.js`))?.pid ?? 0;
const gone = (pids: number[]): Promise<void> => until(() => pids.every((pid) => findProcess(pid) === undefined), () => JSON.stringify(pids.map((pid) => [pid, findProcess(pid)])));

describe('what cannot start says so in one line and ends with 1', () => {
  const refused = async (run: Up, line: RegExp): Promise<void> => {
    expect(await run.ended).toBe(1);
    expect(run.output.trim()).toMatch(line);
    expect(run.output.trim().split('\n')).toHaveLength(1);
  };

  it('names a flag that does not exist', () => refused(up('--verbose'), /--verbose/));
  it('names a variable that does not exist', async () => {
    const run = new Up(['--data-dir', dir], { WHORL_HTTP_PROT: '1' });
    expect(await run.ended).toBe(1);
    expect(run.output).toContain('WHORL_HTTP_PROT: unknown variable');
  });
  it('names a data directory that cannot be made', async () => {
    writeFileSync(dir, 'a file');
    await refused(up(), new RegExp(`cannot write to the data directory ${dir}`));
  });
  it.each(['--api-port', '--http-port'])('names the port of %s that is taken', async (flag) => {
    const server = createServer().listen(flag === '--api-port' ? apiPort : httpPort, '127.0.0.1');
    await once(server, 'listening');
    await refused(up(), new RegExp(`port ${flag === '--api-port' ? apiPort : httpPort} \\(${flag}\\) is in use`));
    server.close();
  });
  it('wants two ports', async () => {
    httpPort = apiPort;
    await refused(up(), new RegExp(`both ${apiPort}`));
  });
  it('explains itself when asked, and ends with 0', async () => {
    const run = new Up(['--help']);
    expect(await run.ended).toBe(0);
    for (const flag of ['--data-dir', '--api-port', '--http-port', '--no-example']) expect(run.output).toContain(flag);
  });
});

describe('a platform that runs', () => {
  let bundle: Uint8Array;
  beforeAll(async () => {
    bundle = await packBundle([{ path: 'spin.toml', content: Buffer.from(MANIFEST) }, { path: 'app.wasm', content: await buildWat('loop') }]);
  });
  const push = async (): Promise<void> => {
    const pushed = await api('POST', '/v1/apps/kept/versions?wait=30', bundle);
    expect(pushed).toMatchObject({ status: 201, body: { version: 1, state: 'serving' } });
    expect(await call()).toMatchObject({ status: 200, body: 'ok\n' });
  };

  it('says what is where, keeps its token closed, serves one data directory once, and stops everything', async () => {
    const first = await up().ready();
    expect(first.output).toContain(`http://localhost:${apiPort}/v1`);
    expect(first.output).toContain('data/admin-token');
    expect(statSync(join(dir, 'admin-token')).mode & 0o777).toBe(0o600);
    expect((await api('GET', '/v1/apps')).status).toBe(200);

    const second = new Up(['--data-dir', dir, '--api-port', '0', '--http-port', '0']);
    expect(await second.ended).toBe(1);
    expect(second.output).toContain(`is in use by another whorl up (pid ${first.pid}`);

    const pids = family(first.pid).map(({ pid }) => pid);
    expect(pids.length).toBeGreaterThan(4);
    first.kill('SIGINT');
    expect(await first.ended).toBe(0);
    await gone(pids);
  }, 90_000);

  it('deploys the example once, and leaves it alone at the next start', async () => {
    const file = join(parent, 'kept.tar.gz');
    writeFileSync(file, bundle);
    const start = (): Promise<Up> => new Up(['--data-dir', dir, '--api-port', `${apiPort}`, '--http-port', `${httpPort}`, '--example', file]).ready();
    const first = await start();
    expect(first.output).toContain(`http://kept.localhost:${httpPort}/`);
    expect((await call()).status).toBe(200);
    await first.end();
    const second = await start();
    expect(second.output).toContain(`http://kept.localhost:${httpPort}/`);
    expect(((await api('GET', '/v1/apps/kept/versions')).body['items'] as unknown[]).length).toBe(1);
  }, 120_000);

  it('brings every app, version and figure back at the next start', async () => {
    const first = await up().ready();
    await push();
    await until(async () => (await api('GET', '/v1/apps/kept/usage')).body['requests'] === 1);
    await first.end();
    await up().ready();
    expect(await call()).toMatchObject({ status: 200, body: 'ok\n' });
    expect((await api('GET', '/v1/apps/kept')).body).toMatchObject({ live: [{ version: 1, percent: 100 }] });
    await until(async () => (await api('GET', '/v1/apps/kept/usage')).body['requests'] === 2);
  }, 120_000);

  it('recovers by itself when the whole tree is killed, and has lost nothing acknowledged', async () => {
    const first = await up().ready();
    await push();
    await until(async () => (await api('GET', '/v1/apps/kept/usage')).body['requests'] === 1);
    for (const { pid } of family(first.pid)) process.kill(pid, 'SIGKILL');
    await first.ended;
    await up().ready();
    expect(await call()).toMatchObject({ status: 200, body: 'ok\n' });
    expect((await api('GET', '/v1/apps/kept/versions')).body).toMatchObject({ items: [{ version: 1, state: 'serving' }] });
    await until(async () => (await api('GET', '/v1/apps/kept/usage')).body['requests'] === 2);
  }, 120_000);

  it('leaves only PostgreSQL behind when the launcher alone is killed, and takes it over at the next start', async () => {
    const first = await up().ready();
    await push();
    const others = [childOf(first.pid, 'control-plane'), childOf(first.pid, 'node')];
    first.kill('SIGKILL');
    await first.ended;
    await gone(others);
    const second = await up().ready();
    expect(second.output).toContain('took over the running PostgreSQL');
    expect(await call()).toMatchObject({ status: 200 });
  }, 120_000);

  it('starts each process again that dies, and the apps go on', async () => {
    const run = await up().ready();
    await push();
    process.kill(childOf(run.pid, 'control-plane'), 'SIGKILL');
    expect(await call()).toMatchObject({ status: 200 });
    await until(() => run.output.includes('the control plane serves again'), () => run.output);
    expect((await api('GET', '/v1/apps/kept')).status).toBe(200);

    process.kill(childOf(run.pid, 'node'), 'SIGKILL');
    await until(() => run.output.includes('the node serves again'), () => run.output);
    await until(async () => (await call()).status === 200);

    const postgres = family(run.pid).find(({ command }) => command.includes('postgres') && command.includes(dir))?.pid ?? 0;
    process.kill(postgres, 'SIGKILL');
    await until(() => run.output.includes('PostgreSQL runs again'), () => run.output);
    await until(async () => (await api('GET', '/v1/apps/kept')).status === 200);
    expect(await call()).toMatchObject({ status: 200 });
  }, 120_000);
});

