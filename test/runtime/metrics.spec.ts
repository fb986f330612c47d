import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, httpTrigger, type Built } from './front-fixture.js';
import { compileProcesses, TestControlPlane, TestNode } from './node-fixture.js';

/** What a node's processes say of themselves to Prometheus. */

const blobs = new Blobs();
let dist: string;
let built: Built;
let control: TestControlPlane;
let node: TestNode | undefined;

beforeAll(async () => {
  dist = await compileProcesses();
  built = await blobs.build(await buildWat('loop'));
  control = new TestControlPlane(blobs);
  await control.start();
});
afterEach(() => node?.stop('SIGKILL'));
afterAll(async () => {
  await control.stop();
  blobs.remove();
  rmSync(dist, { recursive: true, force: true });
});

it('counts invocations, errors and limits of every runner, on an address of its own', async () => {
  node = new TestNode(dist, control, { WHORL_LOG_LEVEL: 'info', WHORL_METRICS_LISTEN: '127.0.0.1:0', WHORL_LIMIT_CPU_MS: '50' });
  await node.start();
  await control.deploy('app', 1, artifactOf(1, { main: built }, [httpTrigger('all', '/...', { component: 'main' })]));
  const line = node.output.join('').split('\n').find((each) => each.includes('metrics are answered'));
  const { port } = JSON.parse(line!) as { port: number };
  for (const path of ['/', '/', '/trap', '/loop']) await ask(node.port, 'app.localhost', path);
  const metrics = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  let text = '';
  for (let i = 0; i < 100 && !/COMPONENT_CPU_LIMIT/.test(text); i++) {
    await sleep(50);
    text = await metrics();
  }
  const labels = 'org="default",app="app",channel="production",version="1",component="main"';
  expect(text).toContain(`whorl_limit_strikes_total{${labels},code="COMPONENT_CPU_LIMIT"} 1\n`);
  for (let i = 0; i < 100 && !text.includes(`whorl_invocations_total{${labels}} 4\n`); i++) {
    await sleep(50);
    text = await metrics();
  }
  expect(text).toContain(`whorl_invocations_total{${labels}} 4\n`);
  expect(text).toContain(`whorl_invocation_errors_total{${labels}} 2\n`);
  expect(text).toContain('# TYPE whorl_invocations_total counter\n');
  expect(text).toMatch(/^whorl_runners\{lane="shared"\} [1-9]/m);
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
  expect((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' })).status).toBe(405);
  expect((await ask(node.port, 'app.localhost', '/metrics')).body).toBe('ok\n');
});
