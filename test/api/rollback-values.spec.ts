import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

describe('the variables on a way back', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());

  const push = (app: string, seed: string, query = 'wait=20', variables: Parameters<typeof makeApp>[0] = {}) => fixture.push(app, makeBundle({ ...makeApp(variables), seed }), query);
  const set = async (app: string, values: object, query = ''): Promise<void> => {
    expect(await fixture.call('PUT', `/v1/apps/${app}/variables${query}`, { body: values })).toMatchObject({ status: 200 });
  };
  const rollback = (app: string, body: object = {}) => fixture.call('POST', `/v1/apps/${app}/rollback`, { body });
  const values = (app: string) => node.held.get(app)!.variables;

  it('get back the values that the version was last served with, secret ones too, and what came later is gone', async () => {
    await set('back', { greeting: 'one', key: { value: 'secret-1', secret: true }, same: 'x' });
    await push('back', '1');
    await set('back', { greeting: 'two' });
    await push('back', '2');
    await set('back', { greeting: 'three', key: { value: 'secret-2', secret: true }, later: 'y' });
    const answer = await rollback('back');
    expect(answer).toMatchObject({ status: 200, body: { version: 1, variables: { restored: ['greeting', 'key', 'later'], left: [] } } });
    expect(values('back')).toEqual({ greeting: 'two', key: 'secret-1', same: 'x' });
    expect(JSON.stringify(answer.body)).not.toContain('secret-1');
    // And forward again: those of the other version.
    await rollback('back');
    expect(values('back')).toEqual({ greeting: 'three', key: 'secret-2', same: 'x', later: 'y' });
  });

  it('are served in the same generation as the code', async () => {
    const seen = new Set<string>();
    const before = node.held.get('back')!;
    const watch = setInterval(() => {
      const { generation, variables } = node.held.get('back')!;
      seen.add(`${generation} ${variables['greeting']}`);
    }, 1);
    await rollback('back');
    clearInterval(watch);
    expect([...seen]).toEqual(expect.arrayContaining([`${before.generation + 1} two`]));
    expect([...seen].filter((each) => each !== `${before.generation} three` && each !== `${before.generation + 1} two`)).toEqual([]);
  });

  it('stay as they are when the call says so, or the channel does', async () => {
    await push('kept', '1');
    await push('kept', '2');
    await set('kept', { a: '2' });
    expect((await rollback('kept', { keepVariables: true })).body).not.toHaveProperty('variables');
    expect(values('kept')).toEqual({ a: '2' });
    await fixture.call('PUT', '/v1/apps/kept/channels/production/rollout', { body: { keepVariables: true } });
    await set('kept', { a: '3' });
    await rollback('kept');
    expect(values('kept')).toEqual({ a: '3' });
    await set('kept', { a: '4' });
    expect((await rollback('kept', { keepVariables: false })).body).toMatchObject({ variables: { restored: ['a'] } });
  });

  it('need no value now that the version gets back', async () => {
    await set('needed', { host: 'db' });
    await push('needed', '1', 'wait=20', { host: { secret: false } });
    await push('needed', '2');
    await set('needed', { host: null });
    expect(await rollback('needed')).toMatchObject({ status: 200, body: { variables: { restored: ['host'] } } });
    expect(values('needed')).toEqual({ host: 'db' });
  });

  it('go back with a rollout that somebody ends, or that fails', async () => {
    await set('ended', { a: '1' });
    await push('ended', '1');
    const pushed = await push('ended', '2', 'rollout=steps:10@manual');
    await until(async () => (await fixture.call('GET', '/v1/apps/ended/rollouts/latest')).body['phase'] === 'holding');
    await set('ended', { a: '2' });
    const ended = await fixture.call('POST', `/v1/apps/ended/rollouts/${pushed.body['rollout'] as number}/abort`, { body: {} });
    expect(ended.body).toMatchObject({ state: 'aborted', variables: { restored: ['a'], left: [] } });
    await until(() => values('ended')['a'] === '1');
  });

  it('are kept sealed for each revision', async () => {
    for (const row of await fixture.sql('SELECT values FROM variable_revision')) expect(row['values']).toMatch(/^v1:/);
  });
});
