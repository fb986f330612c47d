import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JournalRecord } from '#contract/journal.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { SimulatedNode } from './simulated-node.js';
import { EventStream } from './event-stream.js';
import { until } from './until.js';

const MINUTE_MS = 60_000;

interface Usage {
  requests: number;
  errors: number;
  wallMs: number;
  cpuMs: number;
  bytesIn: number;
  bytesOut: number;
  byVersion: { version: number; requests: number }[];
  limits: { version: number; component: string; code: string; count: number }[];
}
interface Logs {
  lines: { id: string; line: string; requestId: string; stream: string; component: string; version: number; at: string }[];
}

describe('usage and logs', () => {
  let fixture: ControlPlaneFixture;
  let nodes = 0;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
  });
  afterAll(() => fixture.stop());

  /** A node that only ships journals, and an app of its own. */
  const setUp = async (): Promise<{ node: SimulatedNode; app: string }> => {
    const app = `app-${++nodes}`;
    await fixture.call('PUT', `/v1/apps/${app}/variables`, { body: {} });
    return { node: new SimulatedNode(fixture.url(), fixture.nodeToken, `node-${nodes}`), app };
  };
  const source = (app: string, version = 1) => ({ org: 'default', app, channel: 'production', version, component: 'web' });
  const usage = (app: string, change: object = {}): JournalRecord =>
    ({ kind: 'usage', at: Date.now(), ...source(app), trigger: 'http', requests: 1, errors: 0, wallMs: 1.5, cpuMs: 0.25, bytesIn: 10, bytesOut: 100, ...change }) as JournalRecord;
  const line = (app: string, text: string, change: object = {}): JournalRecord =>
    ({ kind: 'log', at: Date.now(), ...source(app), requestId: 'r-1', stream: 'stdout', line: text, ...change }) as JournalRecord;
  const sums = async (app: string, query = ''): Promise<Usage> => (await fixture.call<Usage>('GET', `/v1/apps/${app}/usage${query}`)).body;
  const logs = async (app: string, query = ''): Promise<Logs> => (await fixture.call<Logs>('GET', `/v1/apps/${app}/logs${query}`)).body;

  describe('a journal', () => {
    it('is added up, in all and by version', async () => {
      const { node, app } = await setUp();
      expect(await node.ship([usage(app), usage(app, { requests: 4, errors: 2 }), usage(app, { version: 2, requests: 10, component: 'other' })])).toBe(4);
      expect(await sums(app)).toMatchObject({
        requests: 15, errors: 2, wallMs: 4.5, cpuMs: 0.75, bytesIn: 30, bytesOut: 300, byVersion: [{ version: 1, requests: 5 }, { version: 2, requests: 10 }],
      });
    });

    it('tells what no client asked for apart', async () => {
      const { node, app } = await setUp();
      await node.ship([usage(app), usage(app, { trigger: 'whorl:shadow', requests: 7, version: 2, limits: { COMPONENT_CPU_LIMIT: 7 } })]);
      expect(await sums(app)).toMatchObject({ requests: 1, byVersion: [{ version: 1, requests: 1 }], limits: [], apart: { shadow: { requests: 7, cpuMs: 0.25 } } });
    });

    it('says which limits struck, by version and component', async () => {
      const { node, app } = await setUp();
      await node.ship([
        usage(app, { limits: { COMPONENT_CPU_LIMIT: 2, COMPONENT_BUSY: 1 } }), usage(app, { limits: { COMPONENT_CPU_LIMIT: 1 } }), usage(app),
        usage(app, { version: 2, component: 'other', requests: 0, limits: { COMPONENT_LOG_LIMIT: 4 } }),
      ]);
      expect((await sums(app)).limits).toEqual([
        { version: 1, component: 'web', code: 'COMPONENT_BUSY', count: 1 },
        { version: 1, component: 'web', code: 'COMPONENT_CPU_LIMIT', count: 3 },
        { version: 2, component: 'other', code: 'COMPONENT_LOG_LIMIT', count: 4 },
      ]);
    });

    it('is taken once, however often it is sent', async () => {
      const { node, app } = await setUp();
      const entries = [1, 2, 3].map((seq) => ({ seq, record: usage(app) }));
      for (let i = 0; i < 3; i++) expect(await (await node.request('POST', 'journal', { journal: 'j', entries })).json()).toEqual({ nextSeq: 4 });
      expect(await sums(app)).toMatchObject({ requests: 3 });
    });

    it('is taken once when it is sent several times at once', async () => {
      const { node, app } = await setUp();
      const entries = Array.from({ length: 50 }, (_, i) => ({ seq: i + 1, record: i % 2 ? usage(app) : line(app, String(i)) }));
      const receipts = await Promise.all(Array.from({ length: 8 }, () => node.request('POST', 'journal', { journal: 'j', entries }).then((response) => response.json())));
      expect(receipts).toEqual(Array.from({ length: 8 }, () => ({ nextSeq: 51 })));
      expect(await sums(app)).toMatchObject({ requests: 25 });
      expect((await logs(app)).lines).toHaveLength(25);
    });

    it('is taken up to a gap, and goes on when the gap is filled', async () => {
      const { node, app } = await setUp();
      const send = async (...seqs: number[]): Promise<unknown> =>
        (await node.request('POST', 'journal', { journal: 'j', entries: seqs.map((seq) => ({ seq, record: usage(app) })) })).json();
      expect(await send(2, 3)).toEqual({ nextSeq: 1 });
      expect(await send(1, 3)).toEqual({ nextSeq: 2 });
      expect(await send(2, 3, 4)).toEqual({ nextSeq: 5 });
      expect(await send()).toEqual({ nextSeq: 5 });
      expect(await sums(app)).toMatchObject({ requests: 4 });
    });

    it('has a number of its own for each runner and node', async () => {
      const { node, app } = await setUp();
      const other = new SimulatedNode(fixture.url(), fixture.nodeToken, `${node.name}-b`);
      for (const [from, journal] of [[node, 'a'], [node, 'b'], [other, 'a']] as const) {
        await from.request('POST', 'journal', { journal, entries: [{ seq: 1, record: usage(app) }] });
      }
      expect(await sums(app)).toMatchObject({ requests: 3 });
    });

    it('is not held up by what cannot be stored as it is, or belongs to no app', async () => {
      const { node, app } = await setUp();
      expect(await node.ship([line('never-was', 'x'), line(app, 'nul \0 half \ud800 \u{1f600}'), usage(app, { at: -5 }), usage('never-was')])).toBe(5);
      expect((await logs(app)).lines.map((found) => found.line)).toEqual(['nul \uFFFD half \uFFFD \u{1f600}']);
    });

    it('that comes late belongs to the app that had the name then', async () => {
      const { node, app } = await setUp();
      const then = Date.now();
      await fixture.call('DELETE', `/v1/apps/${app}`);
      await fixture.call('PUT', `/v1/apps/${app}/variables`, { body: {} });
      await node.ship([usage(app, { at: then, requests: 7 }), line(app, 'old', { at: then }), usage(app, { at: Date.now() + 1000, requests: 2 })]);
      expect(await sums(app)).toMatchObject({ requests: 2 });
      expect((await logs(app)).lines).toEqual([]);
      const rows = await fixture.sql(`SELECT sum(requests)::int AS n FROM usage_minute u JOIN app a ON a.id = u.app_id WHERE a.name = $1 AND a.deleted_at IS NOT NULL`, [app]);
      expect(rows).toEqual([{ n: 7 }]);
    });

    it.each([
      ['no journal', { entries: [] }],
      ['a number below one', { journal: 'j', entries: [{ seq: 0, record: usage('a') }] }],
      ['a record of another kind', { journal: 'j', entries: [{ seq: 1, record: { kind: 'trace' } }] }],
    ])('is refused with %s', async (_what, body) => {
      const answer = await fixture.call('POST', '/v1/nodes/n/journal', { body, token: fixture.nodeToken });
      expect([answer.status, answer.body['code']]).toEqual([400, 'API_INPUT_INVALID']);
    });

    it('of a large batch is taken fast', async () => {
      const { node, app } = await setUp();
      const begun = performance.now();
      await node.ship(Array.from({ length: 5_000 }, (_, i) => line(app, `line ${i}`)));
      expect(performance.now() - begun).toBeLessThan(3_000);
      const found = await logs(app, '?tail=10000');
      expect(found.lines.map((each) => each.line)).toEqual(Array.from({ length: 5_000 }, (_, i) => `line ${i}`));
    });
  });

  describe('usage', () => {
    it('is nothing before there was any', async () => {
      const { app } = await setUp();
      expect(await sums(app)).toMatchObject({ requests: 0, errors: 0, wallMs: 0, cpuMs: 0, bytesIn: 0, bytesOut: 0, byVersion: [] });
    });

    it('is counted in whole minutes between from and to', async () => {
      const { node, app } = await setUp();
      const base = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
      await node.ship([0, 1, 2].map((minute) => usage(app, { at: base + minute * MINUTE_MS + 30_000, requests: 10 ** minute })));
      const at = (minutes: number): string => new Date(base + minutes * MINUTE_MS).toISOString();
      expect(await sums(app, `?from=${at(1)}&to=${at(2)}`)).toMatchObject({ requests: 10, from: at(1), to: at(2) });
      expect(await sums(app, `?from=${at(1.5)}&to=${at(2.5)}`)).toMatchObject({ requests: 110, from: at(1), to: at(3) });
      expect(await sums(app, `?from=${base + MINUTE_MS}&to=${(base + 3 * MINUTE_MS) / 1000}`)).toMatchObject({ requests: 110 });
      expect(await sums(app, `?from=${encodeURIComponent(at(0).replace('Z', '+00:00'))}&to=${at(1)}`)).toMatchObject({ requests: 1 });
      expect(await sums(app, `?to=${at(0)}`)).toMatchObject({ requests: 0 });
    });

    it.each(['from=yesterday', 'from=2026-13-01T00:00:00Z', 'to=-1', 'to=99999999999999999', 'from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z'])('refuses ?%s', async (query) => {
      const { app } = await setUp();
      const answer = await fixture.call('GET', `/v1/apps/${app}/usage?${query}`);
      expect([answer.status, answer.body['code']]).toEqual([400, 'API_INPUT_INVALID']);
    });

    it.each(['usage', 'logs', 'logs?follow=true'])('of an app that is not there is not found: %s', async (path) => {
      expect(await fixture.call('GET', `/v1/apps/nobody/${path}`)).toMatchObject({ status: 404, body: { code: 'API_APP_NOT_FOUND' } });
    });
  });

  describe('logs', () => {
    it('are the last lines, oldest first, each with its circumstances', async () => {
      const { node, app } = await setUp();
      await node.ship([line(app, 'one'), line(app, 'two', { stream: 'stderr', requestId: 'r-2', version: 3, component: 'api' }), line(app, 'three', { stream: 'platform' })]);
      const { lines } = await logs(app, '?tail=2');
      expect(lines).toEqual([
        { id: expect.stringMatching(/^\d+$/), at: expect.any(String), channel: 'production', version: 3, component: 'api', requestId: 'r-2', stream: 'stderr', line: 'two' },
        expect.objectContaining({ line: 'three', stream: 'platform' }),
      ]);
      expect((await logs(app, '?tail=0')).lines).toEqual([]);
    });

    it.each(['tail=-1', 'tail=10001', 'tail=x', 'follow=yes'])('refuse ?%s', async (query) => {
      const { app } = await setUp();
      expect(await fixture.call('GET', `/v1/apps/${app}/logs?${query}`)).toMatchObject({ status: 400 });
    });

    it('are followed as events, each line once and in order', async () => {
      const { node, app } = await setUp();
      await node.ship([line(app, 'before 1'), line(app, 'before 2')]);
      const stream = await EventStream.open(`${fixture.url()}/v1/apps/${app}/logs?follow=true&tail=1`, fixture.adminToken);
      expect(stream.contentType).toBe('text/event-stream; charset=utf-8');
      await until(() => stream.events.length === 1);
      for (let i = 0; i < 5; i++) await node.ship([line(app, `after ${i}`)]);
      await until(() => stream.events.length === 6);
      expect(stream.events.map((event) => event.data['line'])).toEqual(['before 2', 'after 0', 'after 1', 'after 2', 'after 3', 'after 4']);
      await stream.close();
    });

    it('go on after Last-Event-ID, without a gap and without a line twice', async () => {
      const { node, app } = await setUp();
      await node.ship([line(app, '1'), line(app, '2'), line(app, '3')]);
      const first = await EventStream.open(`${fixture.url()}/v1/apps/${app}/logs?follow=true`, fixture.adminToken);
      await until(() => first.events.length === 3);
      await first.close();
      await node.ship([line(app, '4')]);
      const second = await EventStream.open(`${fixture.url()}/v1/apps/${app}/logs?follow=true`, fixture.adminToken, first.events[1]!.id);
      await until(() => second.events.length === 2);
      await node.ship([line(app, '5')]);
      await until(() => second.events.length === 3);
      expect(second.events.map((event) => event.data['line'])).toEqual(['3', '4', '5']);
      await second.close();
    });

    it('refuse a Last-Event-ID that is none of theirs', async () => {
      const { app } = await setUp();
      expect(await fixture.call('GET', `/v1/apps/${app}/logs?follow=true`, { headers: { 'last-event-id': 'abc' } })).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
    });

    it('reach a follower in full while several journals write at once', async () => {
      const { node, app } = await setUp();
      const stream = await EventStream.open(`${fixture.url()}/v1/apps/${app}/logs?follow=true&tail=0`, fixture.adminToken);
      const writers = Array.from({ length: 6 }, (_, writer) => async () => {
        for (let seq = 1; seq <= 15; seq++) await node.request('POST', 'journal', { journal: `w${writer}`, entries: [{ seq, record: line(app, `${writer}/${seq}`) }] });
      });
      await Promise.all(writers.map((write) => write()));
      await until(() => stream.events.length >= 90);
      expect(new Set(stream.events.map((event) => event.data['line'])).size).toBe(90);
      const ids = stream.events.map((event) => Number(event.id));
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
      await stream.close();
    });
  });

  it('keeps lines and keys for their time only', async () => {
    const { node, app } = await setUp();
    await node.ship([line(app, 'old', { at: Date.now() - 8 * 24 * 60 * MINUTE_MS }), line(app, 'new')]);
    await fixture.sql(`INSERT INTO idempotency_key (id, fingerprint, created_at) VALUES ('old', '', now() - interval '25 hours'), ('new', '', now())`);
    await fixture.sweep();
    expect((await logs(app)).lines.map((each) => each.line)).toEqual(['new']);
    expect(await fixture.sql(`SELECT id FROM idempotency_key WHERE id IN ('old', 'new')`)).toEqual([{ id: 'new' }]);
  });
});
