import { describe, expect, it } from '@jest/globals';
import { decideGates, type GateAnswer } from './gate-decision.js';

const now = new Date(10_000);
const gate = (change: Partial<GateAnswer>): GateAnswer => ({ name: 'ci.test', state: 'delivered', verdict: 'pass', reason: null, expiresAt: new Date(20_000), ...change });

describe(decideGates.name, () => {
  it('opens when all say pass, or somebody overrode them, or there are none', () => {
    expect(decideGates([], now)).toEqual({ kind: 'open' });
    expect(decideGates([gate({}), gate({ verdict: 'overridden', state: 'failed' })], now)).toEqual({ kind: 'open' });
  });

  it('waits for one that has said nothing, or wait', () => {
    for (const verdict of [null, 'wait']) expect(decideGates([gate({}), gate({ state: 'pending', verdict })], now)).toEqual({ kind: 'wait', reason: 'the webhook at ci.test is asked' });
  });

  it('is closed by one that says fail, whatever the others do, and by one that says nothing in time', () => {
    expect(decideGates([gate({ state: 'pending', verdict: null }), gate({ verdict: 'fail', reason: 'tests are red' })], now)).toEqual({ kind: 'closed', reason: 'the webhook at ci.test says fail: tests are red' });
    expect(decideGates([gate({ state: 'pending', verdict: null, reason: 'it answered 503', expiresAt: now })], now)).toEqual({ kind: 'closed', reason: 'the webhook at ci.test has not said pass in time: it answered 503' });
  });
});
