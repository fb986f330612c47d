import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CollectionsService } from '#api/collection/collections.service.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { buildWat } from '../../fixtures/build-wat.js';
import { Random } from '../../fixtures/random.js';
import { bundleOf, manifestOf } from '../registry-fixture.js';
import { PlaneFixture } from './plane.fixture.js';

const KEPT = 2;
/** See collection.repository.ts. */
const COLLECTOR_LOCK_KEY = 72707372;

let plane: PlaneFixture;
let wasm: Uint8Array;
beforeAll(async () => {
  wasm = await buildWat('loop');
  plane = await PlaneFixture.start({ WHORL_KEEP_VERSIONS: String(KEPT), WHORL_KEEP_DAYS: '30', WHORL_COLLECT_GRACE_HOURS: '2' });
});
afterAll(() => plane?.stop());

/** An app with a file of its own, and one that all have. */
const SHARED = randomBytes(3000);
const bundle = (own: Uint8Array = randomBytes(2000), component: Uint8Array = wasm) =>
  bundleOf(component, { manifest: manifestOf('source = "main.wasm"\nfiles = ["www"]'), files: [{ path: 'www/own', content: own }, { path: 'www/shared', content: SHARED }] });
const special = (name: string) => buildWat('loop', (wat) => wat.replace('(module', `(module (@custom "c" "${name}")`));
const pushAll = async (app: string, bundles: Uint8Array[], query?: string) => {
  for (const each of bundles) expect((await plane.push(app, each, query)).status).toBe(201);
};
const stateOf = async (app: string, version: number) => (await plane.call<{ state: string }>('GET', `/v1/apps/${app}/versions/${version}`)).body.state;

describe('what is collected', () => {
  it('gives up versions that are neither among the last ones nor young, and tells in a dry run what it would do', async () => {
    await pushAll('plain', [await bundle(), await bundle(), await bundle()]);
    expect((await plane.collect()).versions).toBe(0);
    await plane.age();
    const before = await plane.blobs();
    const foreseen = await plane.collect(true);
    expect(foreseen).toMatchObject({ versions: 1, blobs: { count: 1, bytes: 2000 }, byReason: { version: { count: 1, bytes: 2000 } } });
    expect(await plane.blobs()).toEqual(before);
    expect(await plane.collect()).toEqual(foreseen);
    expect((await plane.blobs()).size).toBe(before.size - 1);
    expect(await Promise.all([1, 2, 3].map((version) => stateOf('plain', version)))).toEqual(['collected', 'ready', 'ready']);
    expect(await plane.collect()).toMatchObject({ versions: 0, blobs: { count: 0 } });
  });

  it('refuses to serve a version whose bytes are gone, and does when they are pushed again', async () => {
    const first = await bundle();
    await pushAll('again', [first, await bundle(), await bundle()]);
    await plane.age();
    await plane.collect();
    expect(await plane.call('POST', '/v1/apps/again/rollback?wait=0', { to: 1 })).toMatchObject({ status: 409, body: { code: 'API_VERSION_COLLECTED' } });
    expect(await plane.call('PUT', '/v1/apps/again/versions/1/pin')).toMatchObject({ status: 409, body: { code: 'API_VERSION_COLLECTED' } });
    expect(await plane.push('again', first)).toMatchObject({ status: 200, body: { version: 1, state: 'ready' } });
    const blobs = await plane.blobs();
    for (const digest of await plane.needed('again', 1)) expect(blobs).toContain(digest);
    expect((await plane.call('POST', '/v1/apps/again/rollouts?wait=0', { version: 1 })).status).toBe(202);
  });

  it('keeps what is served, what was served before, what is pinned and what the app asks for', async () => {
    const bundles = await Promise.all(Array.from({ length: 6 }, () => bundle()));
    await pushAll('kept', bundles);
    // The first is being rolled out: no node is there that could finish it.
    await plane.call('POST', '/v1/apps/kept/rollouts?wait=0', { version: 1 });
    expect((await plane.call('PUT', '/v1/apps/kept/versions/2/pin')).status).toBe(204);
    await plane.age();
    expect((await plane.call('PUT', '/v1/apps/kept/retention', { versions: 3 })).body).toEqual({ versions: 3, days: 30, own: { versions: 3, days: null } });
    expect((await plane.collect()).versions).toBe(1);
    expect(await stateOf('kept', 3)).toBe('collected');
    expect((await plane.call('PUT', '/v1/apps/kept/retention', {})).body).toMatchObject({ versions: KEPT, days: 30 });
    await plane.call('DELETE', '/v1/apps/kept/versions/2/pin');
    expect((await plane.collect()).versions).toBe(2);
    expect(await Promise.all([1, 2, 4, 5, 6].map((version) => stateOf('kept', version)))).toEqual(['pending', 'collected', 'collected', 'ready', 'ready']);
  });

  it('keeps a version that a node still reports', async () => {
    await pushAll('held', await Promise.all([bundle(), bundle(), bundle()]));
    await plane.age();
    const status = { app: 'held', channel: 'production', generation: 1, variablesRevision: 0, prepared: [1], failed: [] };
    await plane.sql('INSERT INTO node (name, incarnation, report, report_digest, changed_at, last_seen) VALUES ($1, $2, $3, $4, now(), now() - interval \'1 day\')', ['n1', 'i', { node: 'n1', statuses: [status], engines: [] }, 'd']);
    expect((await plane.collect()).versions).toBe(0);
    await plane.sql('DELETE FROM node');
    expect((await plane.collect()).versions).toBe(1);
  });

  it('keeps what another app has, and what a repository has', async () => {
    const same = await bundle();
    await pushAll('one', [same, await bundle(), await bundle()]);
    await pushAll('two', [same]);
    await plane.age();
    await plane.collect();
    const blobs = await plane.blobs();
    for (const digest of await plane.needed('two', 1)) expect(blobs).toContain(digest);
    expect(await stateOf('one', 1)).toBe('collected');
  });

  it('takes what a deleted app had', async () => {
    await pushAll('deleted', [await bundle()]);
    await plane.call('DELETE', '/v1/apps/deleted');
    await plane.age();
    await plane.sql("UPDATE app SET deleted_at = now() - interval '1 day' WHERE name = 'deleted'");
    expect(await plane.collect()).toMatchObject({ versions: 1, byReason: { version: { count: 1, bytes: 2000 } } });
  });

  it('takes builds for engines that no node asks for, and leaves them while one does', async () => {
    await pushAll('built', [await bundle(randomBytes(100), await special('built'))]);
    const digest = `sha256:${'e'.repeat(64)}`;
    await plane.sql(
      `INSERT INTO version_build (app_id, number, engine, builds) SELECT id, 1, '1', $1::json FROM app WHERE name = 'built'`, [JSON.stringify({ main: { plan: digest, modules: [] } })]);
    await plane.sql('INSERT INTO node (name, incarnation, report, report_digest, changed_at, last_seen) VALUES ($1, $2, $3, $4, now(), now())', ['old', 'i', { node: 'old', statuses: [], engines: ['1'] }, 'd']);
    expect((await plane.collect()).builds).toBe(0);
    await plane.sql('DELETE FROM node');
    expect((await plane.collect()).builds).toBe(1);
    expect(await plane.sql("SELECT 1 FROM version_build WHERE engine = '1'")).toEqual([]);
  });

  it('builds a component again whose results were taken', async () => {
    const component = await special('rebuilt');
    await pushAll('results', [await bundle(randomBytes(10), component), await bundle(), await bundle()]);
    const needed = await plane.needed('results', 1);
    await plane.age();
    expect(await plane.collect()).toMatchObject({ versions: 1 });
    expect([...(await plane.blobs())].filter((digest) => needed.includes(digest))).toHaveLength(1);
    expect((await plane.push('other', await bundle(randomBytes(10), component))).status).toBe(201);
    const blobs = await plane.blobs();
    for (const digest of await plane.needed('other', 1)) expect(blobs).toContain(digest);
  });

  it('keeps what a release before noted nothing of', async () => {
    await pushAll('unnoted', [await bundle(randomBytes(50), await special('unnoted'))]);
    await plane.age();
    await plane.sql('UPDATE version SET noted = false');
    await plane.sql('UPDATE version_build SET noted = false');
    await plane.sql('DELETE FROM version_blob');
    await plane.collect();
    const blobs = await plane.blobs();
    for (const digest of await plane.needed('unnoted', 1)) expect(blobs).toContain(digest);
  });

  it('runs by itself when there is something old, and not again for hours', async () => {
    const collections = plane.plane.get(CollectionsService);
    const scheduled = () => plane.sql("SELECT 1 FROM collection WHERE requested_by = 'schedule' AND state = 'done'");
    await plane.sql('DELETE FROM collection');
    await collections.collectDue();
    expect(await scheduled()).toHaveLength(0);
    await plane.sql("UPDATE version SET created_at = now() - interval '1 day'");
    await collections.collectDue();
    await collections.collectDue();
    expect(await scheduled()).toHaveLength(1);
  });

  it('says of one whose control plane was killed that it failed', async () => {
    const id = randomUUID();
    await plane.sql("INSERT INTO collection (id, dry_run, requested_by) VALUES ($1, false, 'somebody')", [id]);
    await plane.collect(true);
    expect((await plane.call('GET', `/v1/collections/${id}`)).body).toMatchObject({ state: 'failed', failure: { code: 'INTERNAL' } });
  });

  it('deletes nothing from a store that belongs to another database', async () => {
    await pushAll('foreign', [await bundle(), await bundle(), await bundle()]);
    await plane.age();
    const storage = plane.plane.get(BlobStorage);
    const owner = (await storage.findRecord('owner'))!;
    await storage.deleteRecord('owner');
    await storage.putRecord('owner', randomUUID());
    const before = await plane.blobs();
    await expect(plane.collect()).rejects.toThrow('REGISTRY_STORE_FOREIGN');
    expect(await plane.blobs()).toEqual(before);
    expect(await stateOf('foreign', 1)).toBe('ready');
    await storage.deleteRecord('owner');
    await storage.putRecord('owner', owner);
    await plane.collect();
  });

  it('is a resource, one at a time', async () => {
    const { status, headers, body } = await plane.call<{ id: string }>('POST', '/v1/collections?wait=60', { dryRun: true });
    expect(status).toBe(200);
    expect(headers.get('location')).toBe(`/v1/collections/${body.id}`);
    expect((await plane.call('GET', `/v1/collections/${body.id}`)).body).toEqual(body);
    expect((await plane.call<{ items: unknown[] }>('GET', '/v1/collections')).body.items[0]).toEqual(body);
    expect(await plane.call('GET', `/v1/collections/${randomUUID()}`)).toMatchObject({ status: 404, body: { code: 'API_COLLECTION_NOT_FOUND' } });
    await plane.whileLocked(COLLECTOR_LOCK_KEY, async () => {
      expect(await plane.call('POST', '/v1/collections', {})).toMatchObject({ status: 409, body: { code: 'API_COLLECTION_RUNNING' } });
    });
    expect((await plane.call('POST', '/v1/collections?wait=60', {})).status).toBe(200);
  });
});

describe('a collection beside pushes of the same bytes', () => {
  const ROUNDS = 12;

  it('loses nothing that was acknowledged', async () => {
    const seed = randomInt(2 ** 31);
    const random = new Random(seed);
    const bundles = await Promise.all(Array.from({ length: 5 }, async (_, i) => bundle(randomBytes(300), await special(`race ${i}`))));
    await pushAll('race', bundles);
    let given = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await plane.age();
      const pushes = bundles.filter(() => random.below(2) === 0);
      const apps = pushes.map(() => (random.below(2) === 0 ? 'race' : `race-${round % 3}`));
      const [report, ...answers] = await Promise.all([
        plane.collect(),
        ...pushes.map(async (each, i) => {
          await new Promise((resolve) => setTimeout(resolve, random.below(120)));
          return plane.push(apps[i]!, each);
        }),
      ]);
      given += report!.versions;
      const blobs = await plane.blobs();
      for (const [i, { status, body }] of answers.entries()) {
        const what = `seed ${seed}, round ${round}, version ${body.version} of ${apps[i]}`;
        if (status > 201) throw new Error(`${what}: ${JSON.stringify(body)}`);
        if ((await stateOf(apps[i]!, body.version)) !== 'ready') throw new Error(`${what} was given up after it was pushed`);
        for (const digest of await plane.needed(apps[i]!, body.version)) if (!blobs.has(digest)) throw new Error(`${what}: ${digest} is gone`);
      }
    }
    expect(given).toBeGreaterThan(0);
  });
});
