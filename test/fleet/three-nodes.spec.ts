import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFleet, type Fleet } from './harness/fleet.mjs';

/** Three nodes, each a machine of its own, under load: what becomes of every single request. The long form of it is bench/fleet.mjs. */
describe('a fleet of three nodes under load', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ nodes: 3, controlPlanes: 2 });
    await fleet.deploy('shop', 'first');
  }, 120_000);
  afterAll(() => fleet?.stop(), 60_000);

  it('answers every request by a version that the table allows while versions are deployed', async () => {
    const load = fleet.load({ rate: 300, apps: ['shop'] });
    await fleet.deploy('shop', 'second');
    await fleet.call('POST', '/v1/apps/shop/rollback');
    const outcome = await fleet.judge(load);
    expect(outcome).toMatchObject({ failed: {}, disallowed: [], inFlight: 0 });
    expect(outcome.answered).toBe(outcome.requests);
  }, 120_000);
});
