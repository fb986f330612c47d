import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { EventStream } from './event-stream.js';
import { until } from './until.js';

describe('several control planes on one database', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    await fixture.startReplica();
  });
  afterAll(() => fixture.stop());

  const bundle = (seed: string): Buffer<ArrayBuffer> => makeBundle({ ...makeApp(), seed });

  it('roll out on one what was pushed to the other', async () => {
    const node = fixture.node('node-1', 1);
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
    const begun = performance.now();
    expect(await fixture.push('across', bundle('1'))).toMatchObject({ status: 201, body: { state: 'serving' } });
    expect(performance.now() - begun).toBeLessThan(4_000);
    expect(node.serving('across')).toBe(1);
  });

  it('wake followers of the one for lines that the other took', async () => {
    const stream = await EventStream.open(`${fixture.url(0)}/v1/apps/across/logs?follow=true&tail=0`, fixture.adminToken);
    const record = { kind: 'log', at: Date.now(), org: 'default', app: 'across', channel: 'production', version: 1, component: 'web', requestId: 'r', stream: 'stdout', line: 'hi' };
    await fetch(`${fixture.url(1)}/v1/nodes/node-1/journal`, {
      method: 'POST', headers: { authorization: `Bearer ${fixture.nodeToken}`, 'content-type': 'application/json' }, body: JSON.stringify({ journal: 'j', entries: [{ seq: 1, record }] }),
    });
    await until(() => stream.events.length === 1, 4_000);
    await stream.close();
  });

  it('agree on the revision of what a node should hold', async () => {
    const revisions = await Promise.all([0, 1].map(async (replica) => {
      const response = await fetch(`${fixture.url(replica)}/v1/nodes/other/assignments`, { headers: { authorization: `Bearer ${fixture.nodeToken}` } });
      return ((await response.json()) as { revision: string }).revision;
    }));
    expect(revisions[0]).toBe(revisions[1]);
  });

  it('close while long polls and event streams are open, and the other goes on with what was under way', async () => {
    const closing = await fixture.startReplica();
    const stream = await EventStream.open(`${fixture.url(closing)}/v1/apps/across/logs?follow=true`, fixture.adminToken);
    const state = (await (await fetch(`${fixture.url(closing)}/v1/nodes/x/assignments`, { headers: { authorization: `Bearer ${fixture.nodeToken}` } })).json()) as { revision: string };
    const poll = fetch(`${fixture.url(closing)}/v1/nodes/x/assignments?wait=60&after=${state.revision}`, { headers: { authorization: `Bearer ${fixture.nodeToken}` } });
    await sleep(100);
    const begun = performance.now();
    await fixture.stopReplica(closing);
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect((await poll).status).toBe(200);
    await stream.close();
  });

  it('survive a lost connection for wake-ups', async () => {
    await fixture.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`);
    expect(await fixture.push('across', bundle('reconnect'))).toMatchObject({ status: 201, body: { state: 'serving' } });
    await until(async () => (await fixture.sql(`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`)).length === 2);
    const begun = performance.now();
    expect(await fixture.push('across', bundle('reconnected'))).toMatchObject({ status: 201, body: { state: 'serving' } });
    expect(performance.now() - begun).toBeLessThan(4_000);
  });
});

describe('a control plane that starts again', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
  });
  afterAll(() => fixture.stop());

  it('has everything it had, and goes on with a rollout that was under way', async () => {
    const first = await fixture.push('kept', makeBundle(makeApp()), 'wait=0');
    expect(first.body).toMatchObject({ state: 'pending' });
    await fixture.call('PUT', '/v1/apps/kept/variables', { body: { key: { value: 'secret-value', secret: true } } });
    await fixture.stopReplica(0);
    await fixture.startReplica();
    expect(await fixture.call('GET', '/v1/apps/kept')).toMatchObject({ body: { rollout: { version: 1, state: 'progressing', phase: 'preparing' } } });
    const node = fixture.node();
    await until(() => node.serving('kept') === 1);
    await until(async () => (await fixture.call('GET', '/v1/apps/kept/versions/1')).body['state'] === 'serving');
    expect(node.held.get('kept')!.variables).toEqual({ key: 'secret-value' });
  });

  it('ends the life of a configured token that was replaced', async () => {
    const { mintToken } = await import('#platform/token.js');
    const before = fixture.adminToken;
    (fixture as { adminToken: string }).adminToken = mintToken();
    const replica = await fixture.startReplica();
    expect((await fetch(`${fixture.url(replica)}/v1/apps`, { headers: { authorization: `Bearer ${before}` } })).status).toBe(401);
    expect((await fetch(`${fixture.url(replica)}/v1/apps`, { headers: { authorization: `Bearer ${fixture.adminToken}` } })).status).toBe(200);
  });
});

describe('a control plane without its database', () => {
  it('says that it is away, and is back with it', async () => {
    const fixture = await ControlPlaneFixture.start();
    try {
      await fixture.call('PUT', '/v1/apps/kept/variables', { body: { a: 'b' } });
      await fixture.stopDatabase();
      expect(await fixture.call('GET', '/v1/apps')).toMatchObject({ status: 503, body: { code: 'API_DATABASE_UNAVAILABLE' } });
      expect(await fixture.call('PUT', '/v1/apps/kept/variables', { body: { a: 'c' } })).toMatchObject({ status: 503 });
      expect(await fixture.call('GET', '/readyz', { token: null })).toMatchObject({ status: 503, body: { code: 'API_NOT_READY', detail: 'cannot reach the database' } });
      expect(await fixture.call('GET', '/healthz', { token: null })).toMatchObject({ status: 200 });
      await sleep(1_500);
      await fixture.startDatabase();
      await until(async () => (await fixture.call('GET', '/readyz', { token: null })).status === 200);
      expect(await fixture.call('GET', '/v1/apps/kept/variables')).toMatchObject({ status: 200, body: { items: [{ name: 'a', value: 'b' }] } });
    } finally {
      await fixture.stop();
    }
  });
});
