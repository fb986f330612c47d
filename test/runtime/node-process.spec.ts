import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { Agent, request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VersionArtifact } from '#contract/artifact.js';
import { artifactOf, ask, httpTrigger } from './front-fixture.js';
import { NodeSuite } from './node-suite.js';

const suite = new NodeSuite();

/** Answers with its number at /v, by the component elsewhere. */
const version = (number: number): VersionArtifact => artifactOf(number, { main: suite.fixture }, [
  httpTrigger('number', '/v', { staticResponse: { status: 200, headers: {}, body: String(number) } }),
  httpTrigger('all', '/...', { component: 'main' }),
]);

/** Asks over kept connections, `lanes` at a time, until `stop`. */
function load(port: number, host: string, path: string, lanes: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes });
  const seen: { status: number; body: string; askedAt: number; answeredAt: number }[] = [];
  const failures: Error[] = [];
  let running = true;
  const one = (): Promise<void> => new Promise((resolve) => {
    const askedAt = performance.now();
    const request = httpRequest({ host: '127.0.0.1', port, path, agent, headers: { host } }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => { body += chunk.toString(); });
      response.on('end', () => {
        seen.push({ status: response.statusCode!, body, askedAt, answeredAt: performance.now() });
        resolve();
      });
    });
    request.on('error', (error) => {
      failures.push(error);
      resolve();
    });
    request.end();
  });
  const ends = Array.from({ length: lanes }, async () => {
    while (running) await one();
  });
  return {
    seen, failures,
    stop: async () => {
      running = false;
      await Promise.all(ends);
      agent.destroy();
    },
  };
}

const childrenOf = (pid: number): number[] =>
  execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).split('\n').filter((line) => line.trim() !== '').map(Number);

describe('a node process', () => {
  it('serves what it is assigned, and ships what was used and written', async () => {
    const { control, node } = await suite.setUp();
    await node.start();
    await control.deploy('tiny', 2, version(1));
    for (let i = 0; i < 25; i++) expect((await ask(node.port, 'tiny.localhost')).status).toBe(200);
    expect((await ask(node.port, 'tiny.localhost', '/trap')).status).toBe(500);
    for (let i = 0; i < 100 && control.requests('tiny') < 26; i++) await sleep(20);
    expect(control.requests('tiny')).toBe(26);
    expect(control.lines('tiny')).toEqual([expect.stringContaining('COMPONENT_TRAP')]);
  });

  it('switches versions under load without a failed request, and no old answer after the report', async () => {
    const { control, node } = await suite.setUp();
    await node.start();
    await control.deploy('tiny', 2, version(1));
    const traffic = load(node.port, 'tiny.localhost', '/v', 20);
    await sleep(200);
    await control.deploy('tiny', 4, version(2), [version(1)]);
    const reportedAt = performance.now();
    await sleep(200);
    const from = performance.now();
    control.assign('tiny', 5, 1, [version(1), version(2)]);
    await control.until('tiny', ({ generation }) => generation === 5);
    const rolledBackAt = performance.now();
    await sleep(200);
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
    expect(traffic.seen.every(({ status }) => status === 200)).toBe(true);
    expect(traffic.seen.some(({ askedAt, answeredAt, body }) => askedAt > reportedAt && answeredAt < from && body !== '2')).toBe(false);
    expect(traffic.seen.some(({ askedAt, body }) => askedAt > rolledBackAt && body !== '1')).toBe(false);
  });

  it('reports a version that cannot be prepared, and serves the old one on', async () => {
    const { control, node } = await suite.setUp();
    await node.start();
    await control.deploy('tiny', 2, version(1));
    const broken = artifactOf(2, { main: { ...suite.fixture, handlers: ['command'] } }, [httpTrigger('all', '/...', { component: 'main' })]);
    control.assign('tiny', 3, 1, [version(1), broken]);
    const { failed } = await control.until('tiny', (status) => status.failed.length > 0);
    expect(failed).toEqual([{ version: 2, code: 'COMPONENT_HANDLER_MISSING', message: expect.stringContaining('main') }]);
    expect((await ask(node.port, 'tiny.localhost', '/v')).body).toBe('1');
  });

  it('loses only requests of a runner that is killed, and replaces it', async () => {
    const { control, node } = await suite.setUp();
    await node.start();
    await control.deploy('tiny', 2, version(1));
    const before = childrenOf(node.pid);
    expect(before.length).toBe(2);
    const traffic = load(node.port, 'tiny.localhost', '/v', 10);
    await sleep(100);
    process.kill(before[0]!, 'SIGKILL');
    await sleep(1_500);
    await traffic.stop();
    expect(traffic.failures.length).toBeLessThanOrEqual(10);
    expect(traffic.seen.every(({ status, body }) => status === 200 && body === '1')).toBe(true);
    expect(childrenOf(node.pid).length).toBe(2);
    expect((await ask(node.port, 'tiny.localhost', '/v')).body).toBe('1');
  });

  it('answers every request of a neighbour while 200 requests loop for ever', async () => {
    const { control, node } = await suite.setUp({ WHORL_LIMIT_CPU_MS: '3000', WHORL_LIMIT_WALL_MS: '6000' });
    await node.start();
    await control.deploy('loops', 2, version(1));
    await control.deploy('tiny', 2, version(1));
    const looping = Array.from({ length: 200 }, () => ask(node.port, 'loops.localhost', '/loop').catch((error: Error) => ({ status: error.message })));
    const statuses: number[] = [];
    await Promise.all(Array.from({ length: 10 }, async () => {
      for (let i = 0; i < 100; i++) statuses.push((await ask(node.port, 'tiny.localhost', '/ok')).status);
    }));
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    const answers = await Promise.all(looping);
    // Stopped at its limit, or not begun at all: no other end.
    expect([...new Set(answers.map(({ status }) => status))].filter((status) => status !== 500 && status !== 503)).toEqual([]);
  });

  it('starts from its snapshot while the control plane is away', async () => {
    const { control, node } = await suite.setUp();
    await node.start();
    await control.deploy('tiny', 2, version(1));
    await sleep(200);
    await node.stop('SIGKILL');
    await control.stop();
    const from = performance.now();
    await node.start();
    expect(performance.now() - from).toBeLessThan(5_000);
    expect((await ask(node.port, 'tiny.localhost', '/v')).body).toBe('1');
    expect((await ask(node.port, 'tiny.localhost')).status).toBe(200);
    await control.start();
    for (let i = 0; i < 250 && control.requests('tiny') < 1; i++) await sleep(20);
    expect(control.requests('tiny')).toBe(1);
  });

  it('drains on SIGTERM: ends with 0, and leaves no process behind', async () => {
    const { control, node } = await suite.setUp();
    await node.start();
    await control.deploy('tiny', 2, version(1));
    const traffic = load(node.port, 'tiny.localhost', '/', 5);
    await sleep(100);
    const runners = childrenOf(node.pid);
    const code = await node.stop();
    await traffic.stop();
    expect(code).toBe(0);
    for (const pid of runners) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    expect(traffic.seen.every(({ status }) => status === 200)).toBe(true);
    expect(control.requests('tiny')).toBe(traffic.seen.length);
  });

  it('says in one line that its port is in use', async () => {
    const { node } = await suite.setUp();
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    await expect(node.start(port)).rejects.toThrow(/ended with 1: .*NODE_PORT_IN_USE.*\n$/);
    taken.close();
  });
});
