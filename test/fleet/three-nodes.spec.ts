import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFleet, type Fleet } from './harness/fleet.mjs';
import { outage } from './harness/outage.mjs';
import { Run, SCENARIOS } from './harness/scenarios.mjs';

const TIMES = 2;
const RATE = 300;

/** Three nodes, each a machine of its own, under load: what becomes of every single request. The long form is bench/fleet.mjs. */
describe('a fleet of three nodes under load', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ nodes: 3, controlPlanes: 2 });
  }, 120_000);
  afterAll(() => fleet?.stop(), 60_000);

  it('loses no request but those in flight on a killed node, and never answers by a version that the table does not allow', async () => {
    const run = await Run.begin(fleet, { rate: RATE, settleMs: 100 });
    for (run.round = 0; run.round < TIMES; run.round++) for (const name of Object.keys(SCENARIOS)) await run.act(name);
    const { outcome, byScenario } = await run.end();
    expect(Object.values(byScenario).map(({ times }) => times)).toEqual(Object.keys(SCENARIOS).map(() => TIMES));
    expect({ failures: outcome.failures, disallowed: outcome.disallowed }).toEqual({ failures: [], disallowed: [] });
    expect(outcome.answered + outcome.inFlight).toBe(outcome.requests);
    expect(Object.keys(outcome.byVersion).length).toBeGreaterThan(2 * TIMES);
  }, 240_000);

  it('serves on while everything but the nodes is away, one of them restarted then; afterwards nothing has moved or is gone, and usage is what was answered', async () => {
    const { outcome, before, after, answered, usage } = await outage(fleet, { rate: RATE, seconds: 10 });
    expect({ failures: outcome.failures, disallowed: outcome.disallowed }).toEqual({ failures: [], disallowed: [] });
    expect(after).toEqual(before);
    expect(usage).toEqual(answered);
  }, 240_000);
});
