import { Agent, get } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startPlatform, type Platform } from '../../bench/lib/platform.mjs';
import { packBundle } from '#contract/bundle/pack.js';
import type { RolloutDetails } from '#api/rollouts/rollout.schema.js';
import { buildWat } from '../fixtures/build-wat.js';

/** Versions that come by steps, judged by real traffic through real processes. Runs what `npm run build` made. */

const manifest = (name: string, whorl = 'key_header = "x-user"') => `spin_manifest_version = 2
[application]
name = "steps"
version = "${name}"
[application.tool.whorl]
${whorl}
[[trigger.http]]
route = "/..."
component = "web"
[component.web]
source = "app.wasm"
`;

/** The guest of flow.spec.ts with another text; a bad one answers 500 to the paths that begin with /e. */
const guest = (text: string, bad = false) =>
  buildWat('loop', (wat) => {
    const named = wat.replace('"ok\\0a"', `"${text}\\0a"`);
    if (!bad) return named;
    return named
      .replace('  (memory (export', '  (import "wasi:http/types@0.2.3" "[method]outgoing-response.set-status-code" (func $set-status (param i32 i32) (result i32)))\n  (memory (export')
      .replace('(call $misbehave (call $second-letter (local.get $request)))', '(local $letter i32)\n    (local.set $letter (call $second-letter (local.get $request)))')
      .replace(
        '(call $body (local.get $answer) (i32.const 16))',
        '(if (i32.eq (local.get $letter) (i32.const 0x65)) (then (drop (call $set-status (local.get $answer) (i32.const 500)))))\n    (call $body (local.get $answer) (i32.const 16))',
      );
  });
const bundle = async (text: string, { bad = false, whorl }: { bad?: boolean; whorl?: string } = {}) =>
  packBundle([
    { path: 'spin.toml', content: Buffer.from(manifest(text, whorl)) },
    { path: 'app.wasm', content: Buffer.from(await guest(text, bad)) },
  ]);

interface Answer {
  user: number;
  status: number;
  body: string;
  cookie: string | undefined;
}

/** Users who ask again and again, one request in five of a path that a bad version fails at. */
class Traffic {
  readonly answers: Answer[] = [];
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 8 });
  private isOver = false;
  private readonly loops: Promise<void>[];

  constructor(private readonly port: number, private readonly host: string, private readonly users = 400) {
    this.loops = Array.from({ length: 8 }, (_, loop) => this.run(loop));
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.loops);
    this.agent.destroy();
  }

  /** What each user saw, in order, repetitions left out. */
  seen(): string[][] {
    const byUser = new Map<number, string[]>();
    for (const { user, body } of this.answers) {
      const seen = byUser.get(user) ?? byUser.set(user, []).get(user)!;
      if (seen.at(-1) !== body) seen.push(body);
    }
    return [...byUser.values()];
  }

  private async run(loop: number): Promise<void> {
    // A user belongs to one loop: the order of the answers is the order of the requests.
    for (let i = 0; !this.isOver; i++) {
      const user = loop + 8 * (i % (this.users / 8));
      this.answers.push({ user, ...(await ask(this.port, this.host, { agent: this.agent, path: Math.floor(i / 3) % 5 === 0 ? '/error' : '/', headers: { 'x-user': `user-${user}` } })) });
      await sleep(5);
    }
  }
}

function ask(port: number, host: string, { agent, path = '/', headers = {} }: { agent?: Agent; path?: string; headers?: Record<string, string> } = {}): Promise<Omit<Answer, 'user'>> {
  return new Promise((resolve, reject) => {
    get({ ...(agent && { agent }), port, host: '127.0.0.1', path, headers: { host, ...headers } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text)).on('end', () => resolve({ status: response.statusCode!, body: body.trim(), cookie: response.headers['set-cookie']?.[0] })).on('error', reject);
    }).on('error', reject);
  });
}

describe('gradual rollouts', () => {
  let platform: Platform;
  let dataDir: string;
  let traffic: Traffic | undefined;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'whorl-steps-'));
    platform = await startPlatform({ dataDir });
  }, 120_000);
  afterEach(async () => {
    await traffic?.stop();
    traffic = undefined;
  });
  afterAll(async () => {
    await platform?.stop();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  const json = { 'content-type': 'application/json' };
  const post = (path: string, body: object = {}) => platform.call('POST', path, { body: JSON.stringify(body), headers: json });
  const latest = (app: string): Promise<RolloutDetails> => platform.call('GET', `/v1/apps/${app}/rollouts/latest`);
  const until = async (app: string, good: (rollout: RolloutDetails) => boolean, tries = 600): Promise<RolloutDetails> => {
    for (;;) {
      const rollout = await latest(app);
      if (good(rollout)) return rollout;
      if (--tries < 0) throw new Error(`it came to nothing: ${JSON.stringify(rollout, null, 1)}`);
      await sleep(100);
    }
  };
  const host = (app: string) => `${app}.localhost`;

  it('roll a version back by themselves that answers 500 to one request in five, at its first step', async () => {
    await platform.push('bad', await bundle('v1'));
    traffic = new Traffic(platform.httpPort, host('bad'));
    await platform.push('bad', await bundle('v2', { bad: true }), 'wait=0&rollout=steps:10@60s,50@60s');
    const ended = await until('bad', ({ endedAt }) => endedAt !== null);
    expect(ended).toMatchObject({ version: 2, state: 'rolled_back', step: 0, serving: [{ version: 1, percent: 100 }], reason: { code: 'API_ROLLOUT_ROLLED_BACK' }, verdict: { verdict: 'fail', reasons: [{ code: 'worse', signal: 'errors' }] } });
    expect(ended.steps.map(({ step, percent }) => [step, percent])).toEqual([[0, 10]]);
    const [{ candidate, baseline }] = ended.verdict!.figures as [RolloutDetails['verdict'] & object]['0']['figures'];
    expect([candidate.version, baseline.version, baseline.errors]).toEqual([2, 1, 0]);
    expect(candidate.errors).toBeGreaterThan(0);
    // The old version again, for everybody, once all nodes have switched.
    for (let tries = 0; tries < 100; tries++) {
      const answers = await Promise.all(Array.from({ length: 40 }, (_, user) => ask(platform.httpPort, host('bad'), { headers: { 'x-user': `user-${user}` } })));
      if (answers.every(({ body }) => body === 'v1')) break;
      expect(tries).toBeLessThan(99);
    }
    await traffic.stop();
    expect(traffic.answers.filter(({ status, body }) => status !== 200 && body !== 'v2')).toEqual([]);
    expect(traffic.seen().every((seen) => ['v1', 'v1 v2 v1', 'v2 v1', 'v1 v2', 'v2'].includes(seen.join(' ')))).toBe(true);
    expect(await platform.call('GET', '/v1/apps/bad/versions/2')).toMatchObject({ state: 'failed', reason: { code: 'API_ROLLOUT_ROLLED_BACK' } });
  }, 120_000);

  it('promote an equal version, and no user ever goes back', async () => {
    await platform.push('good', await bundle('v1'));
    const errors = { refusedSlack: 0.1 };
    await platform.call('PUT', '/v1/apps/good/channels/production/rollout', {
      body: JSON.stringify({ strategy: 'steps:20@2s,60@2s', analysis: { minRequests: 50, errors, traps: errors, limits: errors, latency: { refused: 4 }, cpu: { refused: 4 } } }), headers: json,
    });
    traffic = new Traffic(platform.httpPort, host('good'));
    await platform.push('good', await bundle('v2'), 'wait=0');
    const ended = await until('good', ({ endedAt }) => endedAt !== null, 1_000);
    expect(ended).toMatchObject({ version: 2, state: 'promoted', step: 2, serving: [{ version: 2, percent: 100 }] });
    expect(ended.steps.map(({ percent, verdict }) => [percent, verdict?.verdict])).toEqual([[20, 'pass'], [60, 'pass'], [100, undefined]]);
    await traffic.stop();
    expect(traffic.answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(traffic.seen().filter((seen) => !['v1', 'v1 v2', 'v2'].includes(seen.join(' ')))).toEqual([]);
    const answered = [1, 2].map((version) => traffic!.answers.filter(({ body }) => body === `v${version}`).length);
    const used = async (): Promise<number[]> => {
      const { byVersion } = (await platform.call('GET', '/v1/apps/good/usage')) as { byVersion: { version: number; requests: number }[] };
      return [1, 2].map((version) => byVersion.filter((row) => row.version === version).reduce((sum, { requests }) => sum + requests, 0));
    };
    for (let tries = 0; tries < 100 && (await used()).join() !== answered.join(); tries++) await sleep(100);
    expect(await used()).toEqual(answered);
  }, 180_000);

  it('wait at a step for whoever names it, through a restart of everything, and choose by cookie where there is no key', async () => {
    const whorl = 'rollout = "steps:50@manual,75@manual"';
    await platform.push('manual', await bundle('v1', { whorl }));
    await platform.push('manual', await bundle('v2', { whorl }), 'wait=60');
    const { rollout } = await until('manual', ({ state }) => state === 'paused');
    const first = await ask(platform.httpPort, host('manual'));
    const cookie = first.cookie!.split(';')[0]!;
    expect(cookie).toMatch(/^whorl-rollout=[0-9a-f]{8}$/);

    await platform.stop();
    platform = await startPlatform({ dataDir });
    expect(await latest('manual')).toMatchObject({ rollout, state: 'paused', step: 0, serving: [{ version: 1, percent: 50 }, { version: 2, percent: 50 }] });
    for (let i = 0; i < 20; i++) expect(await ask(platform.httpPort, host('manual'), { headers: { cookie } })).toEqual({ ...first, cookie: undefined });
    await expect(post(`/v1/apps/manual/rollouts/${rollout}/approve`, { step: 1 })).rejects.toThrow('API_ROLLOUT_DECIDED');
    await post(`/v1/apps/manual/rollouts/${rollout}/approve`, { step: 0 });
    await until('manual', ({ state, step }) => state === 'paused' && step === 1);
    await post(`/v1/apps/manual/rollouts/${rollout}/approve`, { step: 1 });
    expect(await until('manual', ({ endedAt }) => endedAt !== null)).toMatchObject({ state: 'promoted', steps: [{ approvedBy: 'admin' }, { approvedBy: 'admin' }, { percent: 100 }] });
    expect(await ask(platform.httpPort, host('manual'))).toEqual({ status: 200, body: 'v2', cookie: undefined });
  }, 180_000);
});
