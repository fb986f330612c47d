import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VersionArtifact } from '#contract/artifact.js';
import { until } from '../api/until.js';
import { artifactOf, ask, httpTrigger } from './front-fixture.js';
import type { TestNode } from './node-fixture.js';
import { NodeSuite } from './node-suite.js';

/** What a node does with apps that nobody asks for at the moment: real processes, as node-process.spec.ts. */

const suite = new NodeSuite();

const version = (number: number, description = ''): VersionArtifact => {
  const artifact = artifactOf(number, { main: suite.fixture }, [httpTrigger('all', '/...', { component: 'main' })]);
  return { ...artifact, app: { ...artifact.app, description } };
};
const statusOf = async (node: TestNode, app: string) => (await ask(node.port, `${app}.localhost`, '/ok')).status;
const preparations = (node: TestNode): number => node.output.join('').split('"version prepared"').length - 1;
const runnersOf = (node: TestNode): number[] =>
  spawnSync('ps', ['-o', 'pid=', '--ppid', String(node.pid)], { encoding: 'utf8' }).stdout.split('\n').filter((line) => line.trim() !== '').map(Number);

describe('an app without requests', () => {
  it('is let go of, and answers its next request in every runner', async () => {
    const { control, node } = await suite.start({ WHORL_IDLE_AFTER_MS: '1' });
    await control.deploy('tiny', 2, version(1));
    await sleep(2_500);
    const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf(node, 'tiny')));
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it('is rolled back without a failed request', async () => {
    const { control, node } = await suite.start({ WHORL_IDLE_AFTER_MS: '1' });
    await control.deploy('tiny', 2, version(1));
    await control.deploy('tiny', 4, version(2), [version(1)]);
    await sleep(2_500);
    const statuses: number[] = [];
    let running = true;
    const asking = Promise.all(Array.from({ length: 4 }, async () => {
      while (running) statuses.push(await statusOf(node, 'tiny'));
    }));
    control.assign('tiny', 5, 1, [version(1), version(2)]);
    await control.until('tiny', ({ generation }) => generation === 5);
    await sleep(100);
    running = false;
    await asking;
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it('is not prepared again by a node that starts from its snapshot, nor by a runner that takes the place of another', async () => {
    const { control, node } = await suite.start();
    for (const app of ['one', 'two']) await control.deploy(app, 2, version(1));
    expect(preparations(node)).toBe(2);
    await node.stop();
    node.output.length = 0;
    await node.start();
    await control.until('two', ({ generation, prepared }) => generation === 2 && prepared.includes(1 as never));
    expect(await statusOf(node, 'one')).toBe(200);
    const killed = runnersOf(node);
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    await until(() => runnersOf(node).filter((pid) => !killed.includes(pid)).length === killed.length, 30_000);
    await until(() => statusOf(node, 'two').then((status) => status === 200, () => false), 30_000);
    expect(preparations(node)).toBe(0);
  });

  it('is prepared by a node whose limits are others than when it was', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    await node.stop();
    const other = suite.node(control, { WHORL_LIMIT_MEMORY_BYTES: String(16 * 2 ** 20), WHORL_NODE_DIR: node.dir });
    await other.start();
    expect(await statusOf(other, 'tiny')).toBe(200);
    expect(preparations(other)).toBe(1);
  });
});

describe('other builds of a version', () => {
  it('take the place of the ones before without a failed request', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    control.assign('tiny', 2, 1, [version(1, 'built again')]);
    for (let i = 0; i < 100 && preparations(node) < 2; i++) expect(await statusOf(node, 'tiny')).toBe(200);
    expect(preparations(node)).toBe(2);
    expect(await statusOf(node, 'tiny')).toBe(200);
  });

  it('that do not start change nothing', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    const broken = version(1, 'built again');
    control.assign('tiny', 2, 1, [{ ...broken, builds: { main: { ...suite.fixture, handlers: ['command'] } } }]);
    for (let i = 0; i < 200 && !node.output.join('').includes('a version cannot be prepared'); i++) await sleep(25);
    expect(node.output.join('')).toContain('main exports none of');
    expect(new Set(await Promise.all(Array.from({ length: 10 }, () => statusOf(node, 'tiny'))))).toEqual(new Set([200]));
    expect((await control.until('tiny', () => true)).failed).toEqual([]);
  });
});
