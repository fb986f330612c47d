import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { VersionArtifact } from '#contract/artifact.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, httpTrigger, type Answer, type Built } from './front-fixture.js';
import { compileProcesses, TestControlPlane, TestNode } from './node-fixture.js';

/** Builds of one version that answer different texts, so that it is seen which of them runs. */
describe('other builds of a version that a node holds', () => {
  const blobs = new Blobs();
  let dist: string;
  let first: Built;
  let second: Built;
  let control: TestControlPlane;
  let node: TestNode;

  beforeAll(async () => {
    dist = await compileProcesses();
    first = await blobs.build(await buildWat('loop'));
    second = await blobs.build(await buildWat('loop', (wat) => wat.replace('"ok\\0a"', '"no\\0a"')));
  });
  afterEach(async () => {
    await node.remove();
    await control.stop();
  });
  afterAll(() => {
    blobs.remove();
    rmSync(dist, { recursive: true, force: true });
  });

  const setUp = async (): Promise<void> => {
    control = new TestControlPlane(blobs);
    await control.start();
    node = new TestNode(dist, control);
  };
  const version = (build: Built): VersionArtifact => artifactOf(1, { main: build }, [httpTrigger('all', '/...', { component: 'main' })]);
  const foreign = (build: Built): Built => ({ ...build, engine: '0' as typeof build.engine });
  const call = (): Promise<Answer> => ask(node.port, 'app.localhost');
  const until = async (body: string): Promise<void> => {
    for (let tries = 0; (await call()).body !== body; tries++) {
      if (tries > 500) throw new Error(`never answered ${body}: ${node.output.join('')}`);
      await sleep(10);
    }
  };

  it('take the place of those that run without a failed request, under the same number', async () => {
    await setUp();
    await node.start();
    await control.deploy('app', 1, version(first));
    const answers: Answer[] = [];
    let running = true;
    const lanes = Array.from({ length: 8 }, async () => {
      while (running) answers.push(await call());
    });
    await sleep(200);
    control.assign('app', 1, 1, [version(second)]);
    await until('no\n');
    await sleep(200);
    running = false;
    await Promise.all(lanes);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['ok\n', 'no\n']));
    for (let i = 0; i < 20; i++) expect((await call()).body).toBe('no\n');
  });

  it('of an engine that the node does not run are not taken up; what runs goes on, also over a restart', async () => {
    await setUp();
    await node.start();
    await control.deploy('app', 1, version(first));
    expect(control.report!.engines).toEqual([ENGINE_VERSION]);
    control.assign('app', 1, 1, [version(foreign(second))]);
    await sleep(500);
    expect(await call()).toMatchObject({ status: 200, body: 'ok\n' });
    control.assign('app', 1, 1, []);
    await sleep(500);
    await node.stop();
    await node.start();
    expect(await call()).toMatchObject({ status: 200, body: 'ok\n' });
  });

  it('are named when the node has nothing else to run, and served as soon as there are some that it can run', async () => {
    await setUp();
    await node.start();
    control.assign('app', 1, 1, [version(foreign(first))]);
    const status = await control.until('app', ({ failed }) => failed.length > 0);
    expect(status).toMatchObject({ prepared: [], failed: [{ version: 1, code: 'NODE_ENGINE_UNSUPPORTED' }] });
    expect((await call()).status).toBe(503);
    control.assign('app', 1, 1, [version(second)]);
    await until('no\n');
  });

  it('are waited for at the start of a node whose snapshot is of another engine', async () => {
    await setUp();
    control.assign('app', 1, 1, [version(foreign(first))]);
    await node.start();
    await control.until('app', ({ failed }) => failed.length > 0);
    await node.stop();
    control.assign('app', 1, 1, [version(second)]);
    await node.start();
    expect(await call()).toMatchObject({ status: 200, body: 'no\n' });
  });
});
