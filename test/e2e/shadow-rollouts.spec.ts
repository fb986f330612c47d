import { Agent, get, request as httpRequest } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startPlatform, type Platform } from '../../bench/lib/platform.mjs';
import type { RolloutDetails } from '#api/rollouts/rollout.schema.js';
import { packBundle } from '#contract/bundle/pack.js';
import { buildWat } from '../fixtures/build-wat.js';

/** Versions that get copies of real traffic through real processes: what clients and counterparts see of it is nothing. Runs what `npm run build` made. */

const manifest = (name: string, component: string, route: string) => `spin_manifest_version = 2
[application]
name = "shadow"
version = "${name}"
[[trigger.http]]
route = "${route}"
component = "web"
[component.web]
source = "app.wasm"
${component}
`;
const bundle = (name: string, wasm: Uint8Array, component = '', route = '/...') =>
  packBundle([{ path: 'spin.toml', content: Buffer.from(manifest(name, component, route)) }, { path: 'app.wasm', content: Buffer.from(wasm) }]);
/** Answers its text; one that is wild traps at paths that begin with /t. */
const text = (answer: string, wild = false) =>
  buildWat('loop', (wat) => (wild ? wat : wat.replace('(call $misbehave (call', '(drop (call')).replace('"ok\\0a"', `"${answer}\\0a"`));

/** Clients of one app that ask again and again. */
class Traffic {
  readonly answers: { status: number; body: string }[] = [];
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 4 });
  private isOver = false;
  private readonly loops = Array.from({ length: 4 }, () => this.run());

  constructor(private readonly port: number, private readonly host: string, private readonly path = '/') {}

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.loops);
    this.agent.destroy();
  }

  private async run(): Promise<void> {
    await sleep(0);
    while (!this.isOver) {
      this.answers.push(await this.ask());
      await sleep(10);
    }
  }

  private ask(): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      get({ agent: this.agent, port: this.port, host: '127.0.0.1', path: this.path, headers: { host: this.host } }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk)).on('end', () => resolve({ status: response.statusCode!, body: body.trim() })).on('error', reject);
      }).on('error', reject);
    });
  }
}

describe('shadow rollouts', () => {
  let platform: Platform;
  let dataDir: string;
  let traffic: Traffic | undefined;
  let counterpart: Server;
  let connections = 0;
  beforeAll(async () => {
    counterpart = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => counterpart.listen(0, '127.0.0.1', resolve));
    dataDir = await mkdtemp(join(tmpdir(), 'whorl-shadow-'));
    platform = await startPlatform({ dataDir, env: { WHORL_ALLOW_PRIVATE_HOSTS: 'true' } });
  }, 120_000);
  afterEach(async () => {
    await traffic?.stop();
    traffic = undefined;
  });
  afterAll(async () => {
    await platform?.stop();
    await new Promise((resolve) => counterpart.close(resolve));
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  const roll = (app: string, rollout: string, more: object = {}) =>
    platform.call('POST', `/v1/apps/${app}/rollouts?wait=0`, { body: JSON.stringify({ version: 2, rollout, ...more }), headers: { 'content-type': 'application/json' } });
  const until = async (app: string, good: (rollout: RolloutDetails) => boolean): Promise<RolloutDetails> => {
    for (let tries = 0; ; tries++) {
      const rollout = await platform.call('GET', `/v1/apps/${app}/rollouts/latest`) as RolloutDetails;
      if (good(rollout)) return rollout;
      if (tries > 1_000) throw new Error(`it came to nothing: ${JSON.stringify(rollout, null, 1)}`);
      await sleep(100);
    }
  };
  const begin = async (app: string, versions: Uint8Array[], path?: string) => {
    await platform.push(app, await bundle('1', versions[0]!));
    await platform.push(app, await bundle('2', versions[1]!, `allowed_outbound_hosts = ["*://127.0.0.1:*"]`), 'rollout=none');
    traffic = new Traffic(platform.httpPort, `${app}.localhost`, path);
  };
  /** Whatever became of the version, clients had the old one's answers and no others. */
  const sawOnly = async (body: string) => {
    await traffic!.stop();
    expect(traffic!.answers.length).toBeGreaterThan(0);
    expect(traffic!.answers.filter((answer) => answer.status !== 200 || answer.body !== body)).toEqual([]);
  };

  it('find that a version answers differently, and say at which paths', async () => {
    await begin('differs', [await text('old'), await text('new')], '/some/path?token=secret');
    await roll('differs', 'shadow@60s', { shadow: { maxDifferent: 0.2 }, analysis: { minRequests: 50 } });
    const ended = await until('differs', ({ endedAt }) => endedAt !== null);
    expect(ended).toMatchObject({ state: 'rolled_back', step: 0, serving: [{ version: 1, percent: 100 }], verdict: { verdict: 'fail', reasons: [{ code: 'different' }] } });
    expect(ended.shadow!.different).toBeGreaterThanOrEqual(50);
    expect(ended.shadow!.examples[0]).toMatchObject({ component: 'web', method: 'GET', path: '/some/path', fields: [], bodyBytes: [3, 3] });
    expect(JSON.stringify(ended.shadow)).not.toContain('secret');
    await sawOnly('old');
  }, 180_000);

  it('find that a version traps before any client meets it', async () => {
    await begin('traps', [await text('old'), await text('new', true)], '/trap');
    await roll('traps', 'shadow:50@60s,steps:10@30s');
    const ended = await until('traps', ({ endedAt }) => endedAt !== null);
    expect(ended).toMatchObject({ state: 'rolled_back', step: 0, verdict: { verdict: 'fail', reasons: [{ code: 'worse' }] } });
    await sawOnly('old');
    const usage = async () => (await platform.call('GET', '/v1/apps/traps/usage')) as { byVersion: { version: number; requests: number }[]; apart: { shadow: { requests: number; errors: number } } };
    for (let tries = 0; tries < 200 && (await usage()).byVersion[0]?.requests !== traffic!.answers.length; tries++) await sleep(100);
    const { byVersion, apart } = await usage();
    // The copies are counted, and not as requests of clients.
    expect(byVersion).toEqual([expect.objectContaining({ version: 1, requests: traffic!.answers.length })]);
    expect(apart.shadow.requests).toBeGreaterThan(0);
    expect(apart.shadow.errors).toBe(apart.shadow.requests);
  }, 180_000);

  it('let nothing of a version reach anybody, and say that it asked', async () => {
    const authority = `127.0.0.1:${(counterpart.address() as AddressInfo).port}`;
    const out = await buildWat('forward-02', (wat) => wat.replace('"back.spin.internal"', `"${authority}"`).replace('(i32.const 18)', `(i32.const ${authority.length})`));
    await begin('out', [await text('old'), out]);
    await roll('out', 'shadow@1s', { analysis: { holdMs: 0 } });
    const paused = await until('out', ({ state, shadow }) => state === 'paused' && shadow!.skipped.refused > 20);
    expect(paused.pausedFor).toContain('asked for an effect');
    expect(paused.shadow).toMatchObject({ compared: 0 });
    await sawOnly('old');
    expect(connections).toBe(0);
    // With all requests it does reach it: it was the copies that could not.
    await platform.call('POST', `/v1/apps/out/rollouts/${paused.rollout}/approve`, { body: JSON.stringify({ step: 0 }), headers: { 'content-type': 'application/json' } });
    await new Promise<void>((resolve) => get({ port: platform.httpPort, host: '127.0.0.1', headers: { host: 'out.localhost' } }, (response) => response.resume().on('end', () => resolve())));
    expect(connections).toBeGreaterThan(0);
  }, 180_000);

  it('write no key that an original would', async () => {
    const counter = await readFile(join(import.meta.dirname, '../../examples/counter-js/counter-js.wasm'));
    const version = (name: string) => bundle(name, counter, 'key_value_stores = ["default"]\n[component.web.variables]\ngreeting = "so far"', '/count/:name');
    await platform.push('counter', await version('1'));
    await platform.push('counter', await version('2'), 'rollout=none');
    await roll('counter', 'shadow@manual');
    await until('counter', ({ state }) => state === 'paused');
    const count = (method: string) => new Promise<number>((resolve, reject) => {
      httpRequest({ port: platform.httpPort, host: '127.0.0.1', path: '/count/a', method, headers: { host: 'counter.localhost' } }, (response) => {
        let body = '';
        response.on('data', (chunk) => (body += String(chunk))).on('end', () => resolve((JSON.parse(body) as { count: number }).count));
      }).on('error', reject).end();
    });
    for (let i = 1; i <= 20; i++) expect(await count('POST')).toBe(i);
    await until('counter', ({ shadow }) => shadow!.compared + Object.values(shadow!.skipped).reduce((sum, each) => sum + each, 0) >= 20);
    expect(await count('GET')).toBe(20);
  }, 180_000);
});
