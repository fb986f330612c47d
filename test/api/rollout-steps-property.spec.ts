import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Random } from '../fixtures/random.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

const ACTS = 60;
const STRATEGIES = ['now', 'steps:10@manual,50@manual', 'steps:1@1s,99@manual', 'steps:25@1s', 'none'];
const ENDED = new Set(['promoted', 'rolled_back', 'aborted']);

interface Item {
  rollout: number;
  version: number;
  state: string;
  phase: string;
  step: number | null;
  endedAt: string | null;
}

interface App {
  live: { version: number; percent: number }[];
  generation: number;
}

/** Whatever people do in whatever order, with nodes that stick, cannot or come back, and control planes that come and go. */
describe('rollouts by steps', () => {
  let fixture: ControlPlaneFixture;
  let nodes: SimulatedNode[];
  let replica = 0;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    nodes = [fixture.node('node-1'), fixture.node('node-2')];
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 2);
  });
  afterAll(() => fixture.stop());

  const call = (method: string, path: string, body?: object) => fixture.call(method, `/v1/apps/shop${path}`, body && { body });
  const rollouts = async () => (await fixture.call<{ items: Item[] }>('GET', '/v1/apps/shop/rollouts?limit=200')).body.items;
  const app = async () => (await fixture.call<App>('GET', '/v1/apps/shop')).body;
  const restart = async () => {
    const next = await fixture.startReplica();
    await fixture.stopReplica(replica);
    replica = next;
    for (const node of nodes) node.baseUrl = fixture.url();
  };
  const isPartial = ({ endedAt, step, phase }: Item) => endedAt === null && step !== null && phase !== 'preparing';

  it.each([20_261_123, 11, 77])('serve whole shares of at most two versions, never go back a generation, and end (seed %i)', async (seed) => {
    const random = new Random(seed);
    let pushed = 0;
    const push = async (strategy: string) => void (await fixture.push('shop', makeBundle({ ...makeApp(), seed: `${seed}-${++pushed}` }), `wait=0&rollout=${strategy}`));
    await push('now');
    await until(async () => (await app()).live.length === 1);
    await call('PUT', '/channels/production/rollout', { analysis: { enabled: false } });
    const fates = new Map<number, string>();
    const told = nodes.map(() => 0);
    let generation = 0;
    for (let act = 0; act < ACTS; act++) {
      const active = (await rollouts()).filter(({ endedAt }) => endedAt === null);
      const any = active.length > 0 ? random.pick(active) : undefined;
      const node = random.pick(nodes);
      const acts: Record<string, () => Promise<unknown>> = {
        push: () => push(random.pick(STRATEGIES)),
        rollout: () => call('POST', '/rollouts?wait=0', { version: 1 + random.below(pushed), rollout: random.pick(STRATEGIES.slice(0, -1)) }),
        rollback: () => call('POST', '/rollback?wait=0'),
        approve: async () => void (any && expect([200, 202, 409, 422]).toContain((await call('POST', `/rollouts/${any.rollout}/approve?wait=0`, { step: any.step ?? 0 })).status)),
        wrong: async () => void (any && expect((await call('POST', `/rollouts/${any.rollout}/approve?wait=0`, { step: (any.step ?? 0) + 7 })).status).toBe(409)),
        abort: async () => void (any && random.below(2) === 0 && expect([200, 409]).toContain((await call('POST', `/rollouts/${any.rollout}/abort`)).status)),
        stick: async () => void (node.stuck = !node.stuck),
        freeze: async () => void (node.frozen = !node.frozen),
        break: async () => void node.broken.set(`shop/${1 + random.below(pushed)}`, { code: 'COMPONENT_TRAP', message: 'no' }),
        mend: async () => node.broken.clear(),
        settle: () => Promise.all(nodes.map((each) => each.settle())),
        ...(random.below(6) === 0 && { restart }),
      };
      const what = random.pick(Object.keys(acts));
      await acts[what]!();

      const now = await app();
      const all = await rollouts();
      const where = { act, what };
      expect({ ...where, grows: now.generation >= generation }).toEqual({ ...where, grows: true });
      generation = now.generation;
      expect({ ...where, sum: now.live.reduce((sum, { percent }) => sum + percent, 0), several: now.live.length > 2 }).toEqual({ ...where, sum: 100, several: false });
      // A share without a rollout would stay for ever.
      const partial = all.filter(isPartial);
      if (now.live.length === 2) expect({ ...where, count: partial.length > 0 }).toEqual({ ...where, count: true });
      for (const { rollout, state, endedAt } of all) {
        expect(ENDED.has(state)).toBe(endedAt !== null);
        if (fates.has(rollout)) expect([rollout, state]).toEqual([rollout, fates.get(rollout)]);
        if (ENDED.has(state)) fates.set(rollout, state);
      }
      for (const [i, { switched }] of nodes.entries()) {
        const at = switched.get('shop')?.generation ?? 0;
        expect({ ...where, node: i, goesOn: at >= told[i]! }).toEqual({ ...where, node: i, goesOn: true });
        told[i] = at;
      }
    }
    // Left alone, with whoever has to agree agreeing, everything ends.
    for (const node of nodes) {
      node.stuck = node.frozen = false;
      node.broken.clear();
    }
    await until(async () => {
      for (const node of nodes) await node.settle();
      const waiting = (await rollouts()).filter(({ state }) => state === 'paused');
      for (const { rollout, step } of waiting) await call('POST', `/rollouts/${rollout}/approve?wait=0`, { step });
      return (await rollouts()).every(({ endedAt }) => endedAt !== null) && (await app()).live.length === 1;
    }, 60_000);
    const { live, generation: last } = await app();
    await until(() => nodes.every(({ switched }) => switched.get('shop')?.generation === last));
    expect(nodes.map((node) => node.serving('shop'))).toEqual([live[0]!.version, live[0]!.version]);
    expect(await fixture.sql('SELECT 1 FROM rollout_interval')).toEqual([]);
    await call('DELETE', '');
  }, 240_000);
});
