import { describe, expect, it } from '@jest/globals';
import type { NodeReceipt } from '#contract/node-facts.js';
import { Log } from '#platform/log.js';
import { Departure } from './departure.js';

const receipt = (change: Partial<NodeReceipt>): NodeReceipt => ({ taken: 'taken', startCount: 1, wants: 'nothing', mayGo: false, others: true, nowMs: 0, ...change });

/** A departure whose control plane answers a moment after it is told something; undefined: it does not. */
function setUp(answer: (asked: number) => NodeReceipt | undefined, maxMs = 20_000) {
  const told = { said: 0, announced: false };
  const departure: Departure = new Departure({
    maxMs,
    say: () => {
      const asked = ++told.said;
      const sentAtMs = Date.now() + 1;
      setTimeout(() => {
        const came = answer(asked);
        if (came) departure.heard(came, sentAtMs);
      }, 2);
    },
    announce: () => { told.announced = true; },
    log: new Log({}, 'error'),
  });
  return { departure, told };
}

describe('the departure of a node', () => {
  it('does not wait when there are no others', async () => {
    const { departure, told } = setUp(() => receipt({ mayGo: true, others: false }));
    await departure.leave();
    expect([told.announced, departure.farewell]).toEqual([false, 'leaving']);
  });

  it('does not wait for a control plane that is away', async () => {
    const { departure, told } = setUp(() => undefined);
    await departure.leave();
    expect(told.announced).toBe(false);
  });

  it('has clients go elsewhere and waits until others serve what it serves', async () => {
    const { departure, told } = setUp((asked) => receipt({ mayGo: asked >= 4 }));
    await departure.leave();
    expect(told).toMatchObject({ announced: true });
    expect(told.said).toBeGreaterThanOrEqual(4);
  });

  it('does not wait for ever', async () => {
    const { departure, told } = setUp(() => receipt({}), 600);
    await departure.leave();
    expect(told.announced).toBe(true);
  });

  it('does not take what was asked before for an answer', async () => {
    const { departure, told } = setUp(() => undefined);
    const leaving = departure.leave();
    departure.heard(receipt({ mayGo: true }), Date.now() - 1_000);
    await leaving;
    expect(told.announced).toBe(false);
  });
});
