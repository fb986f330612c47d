import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ControlPlaneFixture } from './control-plane.fixture.js';

describe('messages of nodes', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
  });
  afterAll(() => fixture.stop());
  beforeEach(() => fixture.sql('DELETE FROM node'));

  const message = (method: string, path: string, body: object, node: string) => fixture.call(method, `/v1/nodes/${node}/${path}`, { body, token: fixture.nodeToken });
  const report = (startCount: number, sequence: number, more: object = {}, node = 'n1') =>
    message('PUT', 'report', { node, incarnation: `i${startCount}`, runners: 1, statuses: [], startCount, sequence, ...more }, node);
  const beat = (startCount: number, sequence: number, reported: number, more: object = {}, node = 'n1') => message('POST', 'heartbeat', { startCount, sequence, reported, ...more }, node);
  const zone = async (node = 'n1') => (await fixture.sql(`SELECT report->>'zone' AS zone FROM node WHERE name = '${node}'`))[0]?.['zone'];
  const load = (requests: number) => ({ load: { spanMs: 1_000, channels: [{ app: 'a', channel: 'production', inFlight: 1.5, requests, cpuMs: 20 }] } });

  describe('a report', () => {
    it('never takes the place of a newer one, lost, doubled or out of order', async () => {
      expect(await report(1, 1, { zone: 'a' })).toMatchObject({ body: { taken: 'taken' } });
      expect(await report(1, 4, { zone: 'd' })).toMatchObject({ body: { taken: 'taken' } });
      expect(await report(1, 3, { zone: 'c' })).toMatchObject({ body: { taken: 'old', startCount: 1 } });
      expect(await report(1, 4, { zone: 'x' })).toMatchObject({ body: { taken: 'old' } });
      expect(await zone()).toBe('d');
    });

    it('of an earlier start is passed over, and says which start is known', async () => {
      await report(7, 1, { zone: 'new' });
      expect(await report(6, 99, { zone: 'old' })).toMatchObject({ status: 200, body: { taken: 'superseded', startCount: 7 } });
      expect(await zone()).toBe('new');
      expect(await report(8, 1, { zone: 'newest' })).toMatchObject({ body: { taken: 'taken', startCount: 8 } });
    });

    it('of a node of an older release, which does not count, is taken as it comes', async () => {
      await report(0, 0, { zone: 'a' });
      expect(await report(0, 0, { zone: 'b' })).toMatchObject({ body: { taken: 'taken' } });
      expect(await zone()).toBe('b');
    });

    it('in any order ends with the newest, whoever takes it', async () => {
      const sequences = Array.from({ length: 12 }, (_, index) => index + 1).sort(() => Math.random() - 0.5);
      await Promise.all([...sequences, ...sequences].map((sequence) => report(1, sequence, { zone: `z${sequence}` })));
      expect(await zone()).toBe('z12');
    });

    it.each([
      ['a label that is none', { labels: { 'a b': 'c' } }],
      ['a taint with another effect', { taints: [{ key: 'a', value: 'b', effect: 'never' }] }],
      ['a capacity below nothing', { capacity: { memoryBytes: -1, milliCores: 0 } }],
      ['a load of more channels than anybody reads', { load: { spanMs: 1, channels: Array.from({ length: 2_001 }, () => load(1).load.channels[0]) } }],
    ])('is refused with %s', async (_what, more) => {
      expect(await report(1, 1, more)).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
    });
  });

  describe('a heartbeat', () => {
    it('keeps the node alive, and changes nothing else', async () => {
      await report(1, 1);
      await fixture.sql(`UPDATE node SET last_seen = now() - interval '2 seconds', changed_at = now() - interval '2 seconds'`);
      expect(await beat(1, 2, 1)).toMatchObject({ status: 200, body: { taken: 'taken', wants: 'nothing', mayGo: false, nowMs: expect.any(Number) } });
      expect(await fixture.sql(`SELECT last_seen > changed_at AS live FROM node`)).toEqual([{ live: true }]);
    });

    it('asks for the report when it is not the one that is known', async () => {
      expect(await beat(1, 1, 1)).toMatchObject({ body: { wants: 'report' } });
      await report(1, 2);
      expect(await beat(1, 4, 3)).toMatchObject({ body: { wants: 'report' } });
      expect(await beat(2, 1, 1)).toMatchObject({ body: { wants: 'report' } });
    });

    it('asks for the report of a node that was taken for lost', async () => {
      await report(1, 1);
      await fixture.sql(`UPDATE node SET last_seen = now() - interval '6 seconds'`);
      expect(await beat(1, 2, 1)).toMatchObject({ body: { wants: 'report' } });
      expect(await fixture.sql(`SELECT last_seen < now() - interval '5 seconds' AS lost FROM node`)).toEqual([{ lost: true }]);
    });

    it('that comes twice, late, or of an earlier start is passed over', async () => {
      await report(2, 1);
      await beat(2, 5, 1, load(5));
      for (const late of [beat(2, 5, 1, load(50)), beat(2, 3, 1, load(3)), beat(2, 4, 1)]) expect(await late).toMatchObject({ body: { taken: 'old', wants: 'nothing' } });
      expect(await beat(1, 9, 1)).toMatchObject({ body: { taken: 'superseded', startCount: 2, wants: 'nothing' } });
      expect(await fixture.sql('SELECT sequence::int, channels->0->$1 AS requests FROM node_load', ['requests'])).toEqual([{ sequence: 5, requests: 5 }]);
    });

    it('of many nodes at once is taken for each of them, doubled ones too', async () => {
      const names = Array.from({ length: 40 }, (_, index) => `many-${index}`);
      await Promise.all(names.map((name) => report(1, 1, {}, name)));
      await fixture.sql(`UPDATE node SET last_seen = now() - interval '2 seconds', changed_at = now() - interval '2 seconds'`);
      const answers = await Promise.all([...names, ...names, 'unknown'].map((name) => beat(1, 2, 1, load(1), name)));
      expect(answers.map(({ body }) => body['wants'])).toEqual([...names.flatMap(() => ['nothing', 'nothing']), 'report']);
      expect(await fixture.sql(`SELECT count(*)::int AS live FROM node WHERE last_seen > changed_at`)).toEqual([{ live: 40 }]);
    });
  });
});
