import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { LeadLost, LeadStore } from '#api/scheduler/lead/lead-store.repository.js';
import { NO_FLEET } from '#api/scheduler/placement/fleet-memory.js';
import type { ChannelPlacement } from '#api/scheduler/placement/placement.js';
import { Random } from '../fixtures/random.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { until } from './until.js';

const PATIENCE_MS = 60_000;
const APPS = 6;
const ACTS = 40;
const seed = Number(process.env['PLACEMENT_SEED'] ?? Date.now() % 2 ** 32);

/** Everything that was ever written of placement, in its order, by the database itself. */
const AUDIT = `
  CREATE TABLE audit (seq bigserial, channel_id uuid, generation int, epoch int, backend int);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO audit (channel_id, generation, epoch, backend) SELECT NEW.channel_id, NEW.generation, epoch, pg_backend_pid() FROM placement_lead; RETURN NULL; END $$;
  CREATE TRIGGER note AFTER INSERT OR UPDATE ON placement FOR EACH ROW EXECUTE FUNCTION note();`;
const LEADER = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 72707374 AND granted`;

describe('several schedulers on one database', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    await fixture.sql(AUDIT);
    for (const name of ['n1', 'n2', 'n3', 'n4', 'n5']) fixture.node(name);
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 5, PATIENCE_MS);
  });
  afterAll(() => fixture.stop());

  it(`never decide at the same time, and no generation goes back, whoever is cut off (seed ${seed})`, async () => {
    const random = new Random(seed);
    await fixture.startReplica();
    await fixture.startReplica();
    for (let i = 0; i < APPS; i++) await fixture.push(`app-${i}`, makeBundle({ ...makeApp(), seed: `${i}` }), 'wait=0');
    for (let act = 0; act < ACTS; act++) {
      const app = `app-${random.below(APPS)}`;
      if (random.below(3) === 0) await fixture.sql(`SELECT pg_terminate_backend(pid) FROM (${LEADER}) AS leader`);
      else await fixture.call('PUT', `/v1/apps/${app}/channels/production/scale`, { body: { min: random.below(6) } });
      expect((await fixture.sql(LEADER)).length).toBeLessThanOrEqual(1);
      await sleep(random.below(150));
    }
    for (let i = 0; i < APPS; i++) await fixture.call('PUT', `/v1/apps/app-${i}/channels/production/scale`, { body: { min: 2 } });
    const settled = async () => (await fixture.sql(`SELECT replicas FROM placement`)).every(({ replicas }) => (replicas as { active: boolean; leaving: boolean }[]).filter(({ active, leaving }) => active && !leaving).length === 2);
    await until(async () => (await fixture.sql('SELECT 1 FROM placement')).length === APPS && (await settled()), PATIENCE_MS);

    const written = (await fixture.sql('SELECT channel_id, generation, epoch, backend FROM audit ORDER BY seq')) as { channel_id: string; generation: number; epoch: number; backend: number }[];
    const generations = new Map<string, number>();
    const backends = new Map<number, number>();
    let epoch = 0;
    for (const each of written) {
      // Each goes on from the one before: nothing is decided twice, nothing is left out.
      expect(each.generation).toBe((generations.get(each.channel_id) ?? 0) + 1);
      generations.set(each.channel_id, each.generation);
      expect(each.epoch).toBeGreaterThanOrEqual(epoch);
      epoch = each.epoch;
      expect(backends.get(each.epoch) ?? each.backend).toBe(each.backend);
      backends.set(each.epoch, each.backend);
    }
    expect(backends.size).toBeGreaterThan(1);
  }, 180_000);

  describe('one that was paused and does not know that another leads', () => {
    const clients: pg.Client[] = [];
    const store = async () => {
      const client = new pg.Client({ connectionString: fixture.databaseUrl });
      await client.connect();
      clients.push(client);
      return new LeadStore(client);
    };
    const id = '11111111-1111-4111-8111-111111111111';
    const entry = (generation: number): ChannelPlacement => ({ generation, replicas: [{ node: 'n1', generation, active: false, leaving: false, replaces: null, reason: 'test' }] });
    const write = (changed: [string, ChannelPlacement | null][], homes: [string, string][] = []) => ({ changed: new Map(changed), homes: new Map(homes), nowMs: Date.now(), fleet: NO_FLEET, summary: undefined });
    const generation = async () => (await fixture.sql(`SELECT generation FROM placement WHERE channel_id = '${id}'`))[0]?.['generation'];
    beforeAll(async () => {
      // These decide by hand; the control planes do not.
      await Promise.all([0, 1, 2].map((replica) => fixture.stopReplica(replica)));
    });
    afterAll(() => Promise.all(clients.map((client) => client.end())));

    it('writes nothing any more', async () => {
      const [paused, later] = [await store(), await store()];
      await paused.takeOver('paused');
      await paused.commit(write([[id, entry(1)]]));
      await later.takeOver('later');
      await expect(paused.commit(write([[id, entry(2)]], [['g', 'n1']]))).rejects.toThrow(LeadLost);
      expect([await generation(), await fixture.sql('SELECT 1 FROM placement_home')]).toEqual([1, []]);
      await later.commit(write([[id, entry(2)]]));
      expect(await generation()).toBe(2);
    });

    it('writes no generation that does not go on from the one that is there, and nothing beside it', async () => {
      const leader = await store();
      await leader.takeOver('leader');
      const other = '22222222-2222-4222-8222-222222222222';
      await expect(leader.commit(write([[other, entry(1)], [id, entry(2)]]))).rejects.toThrow('another generation');
      await expect(leader.commit(write([[other, entry(1)], [id, entry(4)]]))).rejects.toThrow(LeadLost);
      expect(await fixture.sql(`SELECT 1 FROM placement WHERE channel_id = '${other}'`)).toEqual([]);
    });

    it('takes no home away from state that has found its node', async () => {
      const leader = await store();
      await leader.takeOver('leader');
      await leader.commit(write([], [['files', 'n1']]));
      await leader.commit(write([], [['files', 'n1']]));
      await expect(leader.commit(write([], [['files', 'n2']]))).rejects.toThrow(LeadLost);
    });
  });
});
