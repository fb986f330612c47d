import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Random } from '../fixtures/random.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { AUDIT_SQL } from './rollout-audit.js';
import { UnreliableNode } from './unreliable-node.js';
import { until } from './until.js';

const ACTS = Number(process.env['CHAOS_ACTS'] ?? 60);
const SEEDS = process.env['CHAOS_SEED'] === undefined ? [20_261_124, 5] : [Number(process.env['CHAOS_SEED'])];
const STRATEGIES = ['now', 'now', 'steps:10@manual,50@manual', 'steps:1@1s,99@manual', 'steps:25@1s', 'steps:5@1s,50@1s', 'none'];
const NODES = 3;

interface Item {
  rollout: number;
  state: string;
  phase: string;
  step: number | null;
  endedAt: string | null;
}

/**
 * Several control planes that lose their database between any two writes, come and go; nodes whose messages are lost, doubled and reordered, that stick, break and vanish; people who push,
 * approve, abort and roll back whenever they like. The rules themselves are in the database (rollout-audit.ts).
 */
describe('rollouts of which everything goes wrong', () => {
  let fixture: ControlPlaneFixture;
  let replicas: number[];
  let nodes: UnreliableNode[] = [];
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    replicas = [0, await fixture.startReplica()];
    await fixture.sql(AUDIT_SQL);
  });
  afterEach(() => Promise.all(nodes.map((node) => node.stop())));
  afterAll(() => fixture.stop());

  const urls = () => replicas.map((replica) => fixture.url(replica));
  const chaos = (every: number) => fixture.sql('UPDATE audit_chaos SET every = $1', [every]);

  it.each(SEEDS)('never go back a generation, never serve what was rolled back, are decided once, and end (CHAOS_SEED=%i)', async (seed) => {
    const random = new Random(seed);
    const app = `shop-${seed}`;
    nodes = Array.from({ length: NODES }, (_, i) => new UnreliableNode(urls, fixture.nodeToken, `node-${seed}-${i}`, seed + i).start() as UnreliableNode);
    /** Whatever the control plane says: those that die in the middle of a call say 500 or 503. */
    const call = async <T = Record<string, unknown>>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number; body: T }> => {
      const isBytes = body instanceof Uint8Array;
      const response = await fetch(`${random.pick(urls())}/v1/apps/${app}${path}`, {
        method,
        headers: { authorization: `Bearer ${fixture.adminToken}`, 'content-type': isBytes ? 'application/gzip' : 'application/json', ...headers },
        ...(body !== undefined && { body: isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json().catch(() => undefined)) as T };
    };
    let pushed = 0;
    const push = (strategy: string) => call('POST', `/versions?wait=0&rollout=${strategy}`, makeBundle({ ...makeApp(), seed: `${seed}-${++pushed}` }));
    const rollouts = async (): Promise<Item[]> => (await call<{ items: Item[] }>('GET', '/rollouts?limit=200')).body?.items ?? [];
    const broken = () => fixture.sql('SELECT rule, detail FROM audit_violation');

    await until(async () => (await fixture.sql(`SELECT 1 FROM node WHERE name LIKE 'node-${seed}-%'`)).length === NODES);
    await push('now');
    await until(() => nodes.every((node) => node.serving(app) === 1));
    await call('PUT', '/channels/production/rollout', { analysis: { minRequests: 20, holdMs: 1_000 } });
    const told = nodes.map(() => 0);
    for (let act = 0; act < ACTS; act++) {
      const active = (await rollouts()).filter(({ endedAt }) => endedAt === null);
      const any = active.length > 0 ? random.pick(active) : undefined;
      const node = random.pick(nodes);
      const acts: Record<string, () => Promise<unknown>> = {
        push: () => push(random.pick(STRATEGIES)),
        rollout: () => call('POST', '/rollouts?wait=0', { version: 1 + random.below(pushed), rollout: random.pick(STRATEGIES.slice(0, -1)) }),
        rollback: () => call('POST', '/rollback?wait=0'),
        approve: async () => any && call('POST', `/rollouts/${any.rollout}/approve?wait=0`, { step: any.step ?? 0 }),
        // The same decision at several control planes at once.
        approveTwice: async () => {
          if (!any) return;
          const answers = await Promise.all([0, 1, 2].map(() => call('POST', `/rollouts/${any.rollout}/approve?wait=0`, { step: any.step ?? 0 })));
          expect(answers.filter(({ status }) => status < 300).length).toBeLessThanOrEqual(1);
        },
        abort: async () => any && random.below(2) === 0 && call('POST', `/rollouts/${any.rollout}/abort`),
        race: () => Promise.all([push('now'), call('POST', '/rollback?wait=0'), any && call('POST', `/rollouts/${any.rollout}/abort`)]),
        stick: async () => void (node.stuck = !node.stuck),
        freeze: async () => void (node.frozen = !node.frozen),
        break: async () => void node.broken.set(`${app}/${1 + random.below(pushed)}`, { code: 'COMPONENT_TRAP', message: 'no' }),
        mend: async () => node.broken.clear(),
        vanish: async () => void (node.away = !node.away),
        restartNode: async () => node.restart(),
        trouble: async () => nodes.forEach((each) => (each.trouble = random.pick([0, 20, 50]))),
        deaths: () => chaos(random.pick([0, 3, 5, 7, 11, 17])),
        calm: () => chaos(0),
        samples: async () => {
          const versions = node.held.get(app)?.serve ?? [];
          await node.sample(app, versions.map(({ version }) => ({ version, requests: 40, errors: random.pick([0, 0, 20]) }))).then((report) => node.sendSamples(report)).catch(() => {});
        },
        settle: () => Promise.all(nodes.map((each) => each.settle().catch(() => {}))),
        ...(random.below(12) === 0 && {
          replace: async () => {
            await chaos(0);
            const [oldest, ...others] = replicas;
            replicas = [...others, await fixture.startReplica()];
            await fixture.stopReplica(oldest!);
          },
        }),
      };
      const what = random.pick(Object.keys(acts));
      await acts[what]!();
      if (random.below(3) === 0) await sleep(random.below(200));
      expect({ act, what, broken: await broken() }).toEqual({ act, what, broken: [] });
      for (const [i, { switched }] of nodes.entries()) {
        const at = switched.get(app)?.generation ?? 0;
        expect({ act, what, node: i, goesOn: at >= told[i]! }).toEqual({ act, what, node: i, goesOn: true });
        told[i] = at;
      }
    }

    // Left alone, with whoever has to agree agreeing, everything ends.
    await chaos(0);
    for (const node of nodes) {
      node.stuck = node.frozen = node.away = false;
      node.trouble = 0;
      node.broken.clear();
    }
    const live = async () => (await call<{ live: { version: number }[]; generation: number }>('GET', '')).body;
    await until(async () => {
      for (const node of nodes) await node.settle().catch(() => {});
      const all = await rollouts();
      for (const { rollout, step } of all.filter(({ state }) => state === 'paused')) await call('POST', `/rollouts/${rollout}/approve?wait=0`, { step });
      return all.length > 0 && all.every(({ endedAt }) => endedAt !== null) && (await live()).live.length === 1;
    }, 90_000);
    const last = await live();
    await until(() => nodes.every((node) => node.switched.get(app)?.generation === last.generation), 30_000);
    expect(nodes.map((node) => node.serving(app))).toEqual(nodes.map(() => last.live[0]!.version));
    expect(await broken()).toEqual([]);
    expect(await fixture.sql(`SELECT o.id FROM operation o LEFT JOIN rollout r ON r.id = o.rollout_id WHERE coalesce(r.ended_at, o.ended_at) IS NULL`)).toEqual([]);
    expect(await fixture.sql('SELECT 1 FROM rollout_interval')).toEqual([]);
    await Promise.all(nodes.map((node) => node.stop()));
    await fixture.sql(`DELETE FROM node WHERE name LIKE 'node-${seed}-%'`);
    // Processes did die, and not at the same place each time.
    expect(Number((await fixture.sql('SELECT last_value FROM audit_death'))[0]!['last_value'])).toBeGreaterThan(1);
  }, 240_000);
});
