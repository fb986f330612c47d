import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Random } from '../fixtures/random.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

const STEPS = 70;
const HOSTS = ['https://a', 'https://b', 'https://c'];
const ENDED = new Set(['promoted', 'rolled_back', 'aborted']);

interface Item {
  rollout: number;
  version: number;
  state: string;
  phase: string;
  cause: string;
  asks: { name: string }[];
  decidedBy: string | null;
}

/** Whatever people do in whatever order, with control planes that come and go: nothing is served, or heard of by a node, that nobody agreed to. */
describe('a channel whose policy wants approval', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  let replica = 0;
  /** What each version asks for. */
  const asked = new Map<number, Set<string>>();
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const call = (method: string, path: string, body?: object) => fixture.call(method, `/v1/apps/shop${path}`, body && { body });
  const rollouts = async () => (await fixture.call<{ items: Item[] }>('GET', '/v1/apps/shop/rollouts?limit=200')).body.items;
  const served = async () => ((await call('GET', '')).body['live'] as { version: number }[])[0]?.version;
  let seed = 0;
  const push = async (hosts: string[], query?: string) => {
    const app = makeApp();
    const { body } = await fixture.push('shop', makeBundle({ ...app, components: [{ ...app.components![0]!, allowedOutboundHosts: hosts }], seed: String(++seed) }), query);
    asked.set(body['version'] as number, new Set(hosts));
  };
  /** What one version asks for and another does not. */
  const beyond = (version: number, other: number): string[] => [...asked.get(version)!].filter((host) => !asked.get(other)!.has(host));
  const restart = async () => {
    const next = await fixture.startReplica();
    await fixture.stopReplica(replica);
    replica = next;
    node.baseUrl = fixture.url();
  };

  it.each([20_261_123, 7])('serves what was agreed to, and nothing else (seed %i)', async (randomSeed) => {
    const random = new Random(randomSeed);
    await push([]);
    await call('PUT', '/channels/production/policy', { approval: { newCapabilities: true } });
    const fates = new Map<number, string>();
    const servedBefore = new Set<number>();
    for (let step = 0; step < STEPS; step++) {
      const before = await served();
      if (before !== undefined) servedBefore.add(before);
      const waiting = (await rollouts()).find(({ state }) => state === 'paused');
      const any = (): number => random.pick([...asked.keys()]);
      const acts: Record<string, () => Promise<unknown>> = {
        push: () => push(HOSTS.filter(() => random.below(2) === 0)),
        store: () => push(HOSTS.filter(() => random.below(3) === 0), 'rollout=none'),
        rollout: () => call('POST', '/rollouts', { version: any() }),
        rollback: () => call('POST', '/rollback', { to: any() }),
        approve: async () => void (waiting && expect((await call('POST', `/rollouts/${waiting.rollout}/approve`)).status).toBe(200)),
        reject: async () => void (waiting && expect((await call('POST', `/rollouts/${waiting.rollout}/reject`)).status).toBe(200)),
        late: async () => {
          const over = (await rollouts()).filter(({ state }) => ENDED.has(state));
          expect((await call('POST', `/rollouts/${random.pick(over).rollout}/approve`)).status).toBe(409);
        },
        ...(random.below(4) === 0 && { restart }),
      };
      const what = random.pick(Object.keys(acts));
      await acts[what]!();

      const now = await served();
      const all = await rollouts();
      const isFine = now === before || beyond(now!, before!).length === 0 || (what === 'approve' && now === waiting?.version) || (what === 'rollback' && servedBefore.has(now!));
      expect({ step, what, before, now, isFine }).toEqual({ step, what, before, now, isFine: true });
      const awaiting = all.filter(({ state, phase }) => state === 'paused' && phase === 'awaiting-approval');
      expect(awaiting.every(({ rollout }) => rollout === all[0]!.rollout)).toBe(true);
      for (const { version, asks } of awaiting) {
        expect(asks.map(({ name }) => name)).toEqual(beyond(version, now!));
        if (!servedBefore.has(version)) expect(node.held.get('shop')!.versions.map((held) => held.version)).not.toContain(version);
      }
      for (const { rollout, state, asks, decidedBy } of all) {
        if (fates.has(rollout)) expect([rollout, state]).toEqual([rollout, fates.get(rollout)]);
        if (ENDED.has(state)) fates.set(rollout, state);
        if (state === 'promoted' && asks.length > 0) expect(decidedBy).toBe('admin');
      }
    }
    expect(fates.size).toBeGreaterThan(10);
    await call('DELETE', '');
    asked.clear();
  }, 120_000);
});
