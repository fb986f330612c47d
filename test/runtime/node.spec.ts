import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VersionArtifact } from '#contract/artifact.js';
import type { Digest } from '#contract/ids.js';
import { digestLike } from '../fixtures/assignment.js';
import { artifactOf, ask, httpTrigger } from './front-fixture.js';
import { TestControlPlane, type TestNode } from './node-fixture.js';
import { NodeSuite } from './node-suite.js';

/** What a node does with odd assignments, odd folders and guests that hold on: real processes, as node-process.spec.ts. */

const suite = new NodeSuite();

/** Answers `text` at /v, by the component elsewhere. */
const version = (number: number, text = String(number)): VersionArtifact => ({
  ...artifactOf(number, { main: suite.fixture }, [
    httpTrigger('number', '/v', { staticResponse: { status: 200, headers: {}, body: text } }),
    httpTrigger('all', '/...', { component: 'main' }),
  ]),
  digest: digestLike(`${number} ${text}`),
});

const answerOf = async (node: TestNode, app: string) => {
  const { status, body } = await ask(node.port, `${app}.localhost`, '/v');
  return status === 200 ? body : status;
};
const until = async (holds: () => Promise<boolean>) => {
  for (let i = 0; i < 200 && !(await holds()); i++) await sleep(25);
};
const runnersOf = (node: TestNode): number[] =>
  execFileSync('ps', ['-o', 'pid=', '--ppid', String(node.pid)], { encoding: 'utf8' }).split('\n').filter((line) => line.trim() !== '').map(Number);

describe('assignments', () => {
  it('stops serving an app that is deleted, and serves another that is made under its name', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    control.unassign('tiny');
    await until(async () => (await answerOf(node, 'tiny')) === 404);
    expect(await answerOf(node, 'tiny')).toBe(404);
    await control.deploy('tiny', 5, version(1, 'reborn'));
    expect(await answerOf(node, 'tiny')).toBe('reborn');
  });

  it('goes on serving what a control plane that lost its memory does not name', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1, 'first'));
    control.forget();
    await control.deploy('other', 1, version(1, 'other'));
    expect(await answerOf(node, 'other')).toBe('other');
    expect(await answerOf(node, 'tiny')).toBe('first');
  });

  it('replaces an app that was deleted and made again between two answers', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    await control.deploy('tiny', 5, version(1, 'reborn'));
    await until(async () => (await answerOf(node, 'tiny')) === 'reborn');
    expect(await answerOf(node, 'tiny')).toBe('reborn');
  });

  it('never goes back to an older generation, whatever the control plane says', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    await control.deploy('tiny', 4, version(2), [version(1)]);
    control.assign('tiny', 2, 1, [version(1)]);
    await control.deploy('other', 2, version(1));
    expect(await answerOf(node, 'tiny')).toBe('2');
    expect(await control.until('tiny', () => true)).toMatchObject({ generation: 4, prepared: [1, 2] });
  });

  it('says that an app is not ready while its first version is being prepared', async () => {
    const { control, node } = await suite.start();
    control.assign('tiny', 0, 0, [version(1)]);
    await control.until('tiny', ({ prepared }) => prepared.length > 0);
    expect(await answerOf(node, 'tiny')).toBe(503);
  });

  it('lets go of a version that is neither served nor assigned', async () => {
    const { control } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    await control.deploy('tiny', 4, version(2), [version(1)]);
    control.assign('tiny', 4, 2, [version(2)]);
    expect(await control.until('tiny', ({ prepared }) => prepared.length === 1)).toMatchObject({ prepared: [2] });
  });
});

describe('the folder of a node', () => {
  it('keeps secrets from others, and the token from runners', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    await until(async () => existsSync(join(node.dir, 'snapshot.json')));
    expect(statSync(join(node.dir, 'snapshot.json')).mode & 0o777).toBe(0o600);
    for (const pid of runnersOf(node)) {
      const [environment, line] = [readFileSync(`/proc/${pid}/environ`, 'latin1'), readFileSync(`/proc/${pid}/cmdline`, 'latin1')];
      expect(`${environment} ${line}`).not.toMatch(/WHORL_|TOKEN/);
    }
  });

  it('is of one node at a time', async () => {
    const { control, node } = await suite.start();
    const second = suite.node(control, { WHORL_NODE_DIR: node.dir });
    await expect(second.start()).rejects.toThrow(/ended with 1: NODE_DIR_UNUSABLE: .*locked.*\n$/);
  }, 30_000);

  it('fetches a blob again that was damaged while the node was down', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    await sleep(100);
    await node.stop();
    for (const digest of [suite.fixture.plan, ...suite.fixture.modules] as Digest[]) writeFileSync(join(node.dir, 'blobs/sha256', digest.slice(7, 9), digest.slice(7)), 'damaged');
    await node.start();
    expect((await ask(node.port, 'tiny.localhost', '/ok')).status).toBe(200);
  });

  it('fetches a file of an app again that was damaged by a byte while the node was down, when the app is first asked for', async () => {
    const { control, node } = await suite.start();
    const content = Buffer.alloc(200_000, 'asset');
    const digest = suite.blobs.put(content);
    const artifact = version(1);
    artifact.app.components[0]!.files = [{ path: '/index.html', digest, bytes: content.length }];
    await control.deploy('tiny', 2, artifact);
    await sleep(100);
    await node.stop();
    const path = join(node.dir, 'blobs/sha256', digest.slice(7, 9), digest.slice(7));
    writeFileSync(path, Buffer.concat([content.subarray(0, 100_000), Buffer.of(content[100_000]! ^ 1), content.subarray(100_001)]));
    await node.start();
    expect((await ask(node.port, 'tiny.localhost', '/ok')).status).toBe(200);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('keeps no journal that is shipped, and no socket', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    await ask(node.port, 'tiny.localhost', '/ok');
    await node.stop();
    expect([control.requests('tiny'), readdirSync(join(node.dir, 'journals')), existsSync(join(node.dir, 'run'))]).toEqual([1, [], false]);
  });

  it('keeps the usage that was counted before everything was killed, and ships it once', async () => {
    const { control, node } = await suite.start();
    await control.deploy('tiny', 2, version(1));
    await control.stop();
    for (let i = 0; i < 5; i++) await ask(node.port, 'tiny.localhost', '/ok');
    await sleep(200);
    const runners = runnersOf(node);
    await node.stop('SIGKILL');
    for (const pid of runners) if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
    await control.start();
    await node.start();
    await until(async () => control.requests('tiny') === 5);
    await sleep(300);
    expect(control.requests('tiny')).toBe(5);
  });
});

describe('a bad start', () => {
  it('names every bad variable in one line', async () => {
    const control = new TestControlPlane(suite.blobs);
    const node = suite.node(control, { WHORL_NODE_NAME: 'Not A Name', WHORL_RUNNERS: '0' });
    await expect(node.start()).rejects.toThrow(/ended with 1: NODE_CONFIG_INVALID: [^\n]*WHORL_NODE_NAME[^\n]*WHORL_RUNNERS[^\n]*\n$/);
  });
});

describe('guests that hold on', () => {
  it('does not keep the next version from being served', async () => {
    const { control, node } = await suite.start({ WHORL_LIMIT_CPU_MS: '20000', WHORL_LIMIT_WALL_MS: '20000' });
    await control.deploy('loops', 2, version(1));
    const looping = Array.from({ length: 6 }, () => ask(node.port, 'loops.localhost', '/loop').catch(() => undefined));
    await sleep(4_000);
    const from = performance.now();
    await control.deploy('loops', 4, version(2), [version(1)]);
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(await answerOf(node, 'loops')).toBe('2');
    const runners = runnersOf(node);
    await node.stop('SIGKILL');
    // Those that loop see that their node is gone when their guests are stopped.
    for (const pid of runners) if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
    await Promise.all(looping);
  }, 60_000);
});
