import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { appBundle } from '../fleet/harness/bundles.mjs';
import { type Fleet, startFleet } from '../fleet/harness/fleet.mjs';

const TIMEOUT_MS = 120_000;
const APP = 'shop';

interface Operation {
  id: number;
  kind: string;
  state: string;
  steps: { name: string; endedAt: string | null }[];
  error: unknown;
}

/** The control plane is killed as often as anything is done, and each operation comes to its end all the same. */
describe('operations, when the control plane is killed', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ nodes: 1, controlPlanes: 1 });
    await fleet.deploy(APP, 'first');
  }, TIMEOUT_MS);
  afterAll(() => fleet?.stop(), TIMEOUT_MS);

  const ASYNC = { prefer: 'respond-async' };
  const push = async (said: string, query = ''): Promise<number> => {
    const bundle = await appBundle(said);
    const { operation, version } = await fleet.call('POST', `/v1/apps/${APP}/versions?${query}`, { body: new Uint8Array(bundle), headers: { ...ASYNC, 'content-type': 'application/gzip' } });
    fleet.ledger.name(APP, version, said);
    return operation as number;
  };
  const show = (id: number): Promise<Operation> => fleet.call('GET', `/v1/operations/${id}`) as Promise<Operation>;
  const ended = async (id: number): Promise<Operation> => {
    await fleet.until(`operation ${id} has ended`, async () => (await show(id)).state !== 'running');
    return show(id);
  };
  const crash = async (): Promise<void> => {
    await fleet.planes[0]!.kill();
    await fleet.planes[0]!.start();
  };
  const atStep = (id: number, name: string): Promise<void> =>
    fleet.until(`operation ${id} is at ${name}`, async () => (await show(id)).steps.some((step) => step.name === name && step.endedAt === null));
  const answer = async (): Promise<string> => {
    const { address, port } = fleet.nodes[0]!;
    const [response] = (await once(get(`http://${address}:${port}/`, { headers: { host: `${APP}.localhost` } }), 'response')) as [IncomingMessage];
    return (await text(response)).trim();
  };
  const live = async (): Promise<unknown> => (await fleet.call('GET', `/v1/apps/${APP}`)).live;

  it('in the middle of a deploy', async () => {
    fleet.nodes[0]!.link.cut();
    const id = await push('second');
    await atStep(id, 'prepare');
    await crash();
    expect(await show(id)).toMatchObject({ state: 'running', kind: 'deploy' });
    fleet.nodes[0]!.link.mend();
    expect(await ended(id)).toMatchObject({ state: 'succeeded', error: null });
    expect(await live()).toEqual([{ version: 2, percent: 100 }]);
  }, TIMEOUT_MS);

  it('in the middle of a step of a rollout, held and switching', async () => {
    await fleet.call('PUT', `/v1/apps/${APP}/channels/production/rollout`, { json: { analysis: { onInsufficientData: 'go-on' } } });
    const id = await push('third', 'rollout=steps:20@2s,60@2s');
    await atStep(id, 'hold');
    await crash();
    await fleet.until('it is at its second step', async () => (await show(id)).steps.filter(({ name }) => name === 'switch').length >= 2);
    await crash();
    expect(await ended(id)).toMatchObject({ state: 'succeeded' });
    expect((await show(id)).steps.map(({ name }) => name)).toEqual(['prepare', 'switch', 'hold', 'switch', 'hold', 'switch']);
    expect(await live()).toEqual([{ version: 3, percent: 100 }]);
  }, TIMEOUT_MS);

  it('in the middle of a rollback, which is done once however often it is asked for with its key', async () => {
    const headers = { 'idempotency-key': 'back-1' };
    fleet.nodes[0]!.link.cut();
    const asked = await fleet.ask('POST', `/v1/apps/${APP}/rollback?wait=0`, { json: {}, headers });
    expect(asked).toMatchObject({ status: 202, body: { version: 2 } });
    await crash();
    fleet.nodes[0]!.link.mend();
    expect(await ended(asked.body.operation)).toMatchObject({ state: 'succeeded', kind: 'rollback' });
    expect(await fleet.ask('POST', `/v1/apps/${APP}/rollback?wait=0`, { json: {}, headers })).toEqual(asked);
    expect(await live()).toEqual([{ version: 2, percent: 100 }]);
  }, TIMEOUT_MS);

  it('while the call for it waits: asked again with its key it goes on with what was begun', async () => {
    const headers = { 'idempotency-key': 'back-2' };
    const rollbacks = async (): Promise<number> => (await fleet.call('GET', `/v1/operations?app=${APP}&kind=rollback`)).items.length;
    const before = await rollbacks();
    fleet.nodes[0]!.link.cut();
    const call = fleet.ask('POST', `/v1/apps/${APP}/rollback?wait=60`, { json: {}, headers }).then(({ status }) => status, () => 'cut off');
    await fleet.until('the rollback has begun', async () => (await rollbacks()) === before + 1);
    await crash();
    expect(await call).toBe('cut off');
    fleet.nodes[0]!.link.mend();
    let again = await fleet.ask('POST', `/v1/apps/${APP}/rollback?wait=60`, { json: {}, headers });
    await fleet.until('the key is free, and the call answers', async () => {
      if (again.status === 409) again = await fleet.ask('POST', `/v1/apps/${APP}/rollback?wait=60`, { json: {}, headers });
      return again.status === 200;
    });
    expect(again.body).toMatchObject({ version: 3, state: 'serving', switch: { switchedMs: expect.any(Number), nodes: [{ node: 'node-1' }] } });
    expect(await rollbacks()).toBe(before + 1);
    expect(await live()).toEqual([{ version: 3, percent: 100 }]);
    expect(await answer()).toBe('third');
  }, TIMEOUT_MS);
});
