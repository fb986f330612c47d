import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NodeAssignments } from '#contract/assignment.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';

describe('the routes of nodes', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
  });
  afterAll(() => fixture.stop());

  const assignments = (query = '', node = 'n1') => fixture.call<NodeAssignments>('GET', `/v1/nodes/${node}/assignments${query}`, { token: fixture.nodeToken });
  const report = (body: unknown, node = 'n1') => fixture.call('PUT', `/v1/nodes/${node}/report`, { body, token: fixture.nodeToken });
  const fine = { node: 'n1', incarnation: 'i', runners: 1, statuses: [] };

  describe('assignments', () => {
    it('come at once when the node has none', async () => {
      const { body } = await assignments('?wait=30');
      expect(body).toEqual({ revision: expect.any(String), assignments: [], removed: [], released: [], signatures: { key: expect.any(String), assignments: {} } });
    });

    it('are of nodes that have reported alone', async () => {
      await fixture.push('early', makeBundle(makeApp()), 'wait=0');
      const { body: before } = await assignments();
      const { body: unchanged } = await assignments(`?wait=1&after=${before.revision}`);
      expect([before.assignments, unchanged.assignments]).toEqual([[], []]);
      await report(fine);
      const { body: after } = await assignments(`?wait=30&after=${before.revision}`);
      expect(after.assignments).toMatchObject([{ app: 'early', placement: 1 }]);
    });

    it('come when they change', async () => {
      const { body: before } = await assignments();
      const polled = assignments(`?wait=30&after=${before.revision}`);
      await sleep(100);
      const begun = performance.now();
      await fixture.push('changed', makeBundle(makeApp()), 'wait=0');
      const { body: after } = await polled;
      expect(performance.now() - begun).toBeLessThan(4_000);
      expect(after.revision).not.toBe(before.revision);
      expect(after.assignments).toMatchObject([{
        org: 'default', app: 'changed', channel: 'production', generation: 0, hosts: ['changed.localhost'], serve: [], versions: [{ version: 1, app: { triggers: [{ route: '/...' }] } }], variables: {},
      }]);
    });

    it('name nothing when the time is up and nothing has changed', async () => {
      const { body: before } = await assignments();
      const begun = performance.now();
      const { body: after } = await assignments(`?wait=1&after=${before.revision}`);
      expect(performance.now() - begun).toBeGreaterThan(900);
      expect(before.assignments).not.toEqual([]);
      expect(after).toEqual({ ...before, assignments: [], signatures: { ...before.signatures, assignments: {} } });
    });

    it('come whole to a node that holds what nobody remembers, else only as far as they have changed', async () => {
      const { body: before } = await assignments();
      await fixture.push('another', makeBundle(makeApp()), 'wait=0');
      const { body: changed } = await assignments(`?wait=30&after=${before.revision}`);
      expect(changed.assignments.map(({ app }) => app)).toEqual(['another']);
      expect((await assignments('?after=unknown')).body.assignments.map(({ app }) => app)).toEqual(expect.arrayContaining(['changed', 'another']));
    });

    it.each(['?wait=121', '?wait=-1', '?wait=x'])('are refused with %s', async (query) => {
      expect(await assignments(query)).toMatchObject({ status: 400 });
    });

    it.each(['Upper', '-a', 'a'.repeat(64)])('are refused for the node name %s', async (node) => {
      expect(await assignments('', node)).toMatchObject({ status: 400, body: { errors: { node: [expect.any(String)] } } });
    });
  });

  describe('a report', () => {
    it('is taken', async () => {
      expect(await report(fine)).toMatchObject({ status: 200, body: { taken: 'taken', wants: 'nothing' } });
      expect(await report(fine)).toMatchObject({ status: 200, body: { taken: 'taken', wants: 'nothing' } });
    });

    it('keeps the node alive though it says nothing new', async () => {
      await report(fine);
      await fixture.sql(`UPDATE node SET last_seen = now() - interval '2 seconds'`);
      await report(fine);
      expect(await fixture.sql(`SELECT last_seen > now() - interval '1 second' AS live, changed_at < last_seen AS unchanged FROM node WHERE name = 'n1'`)).toEqual([{ live: true, unchanged: true }]);
    });

    it.each([
      ['of another node', { ...fine, node: 'n2' }, 'node'],
      ['without statuses', { node: 'n1', incarnation: 'i', runners: 1 }, 'statuses'],
      ['with a status that is none', { ...fine, statuses: [{ app: 'a' }] }, 'statuses.0.channel'],
    ])('is refused %s', async (_what, body, field) => {
      const answer = await report(body);
      expect([answer.status, Object.keys(answer.body['errors'] as object)]).toEqual([400, expect.arrayContaining([field])]);
    });
  });
});
