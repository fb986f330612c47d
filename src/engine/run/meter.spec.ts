import { describe, expect, it } from '@jest/globals';
import { Meter } from './meter.js';

function meter() {
  let nowNs = 1000n;
  const deadline = new WebAssembly.Global({ value: 'i64', mutable: true }, 0n);
  const made = new Meter({ memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }), now: () => nowNs });
  made.attach(deadline);
  return { meter: made, deadline, pass: (ns: bigint) => { nowNs += ns; } };
}

describe(Meter.name, () => {
  it('sets the deadline at each entry to what is left', () => {
    const { meter: m, deadline, pass } = meter();
    m.setBudget(100n);
    m.enter();
    expect(deadline.value).toBe(1100n);
    pass(30n);
    m.leave();
    pass(5000n);
    m.enter();
    expect([deadline.value, m.cpuNs]).toEqual([6100n, 30n]);
  });

  it('counts nested entries once', () => {
    const { meter: m, pass } = meter();
    m.setBudget(100n);
    m.enter();
    m.enter();
    pass(10n);
    m.leave();
    pass(10n);
    m.leave();
    expect(m.cpuNs).toBe(20n);
  });

  it('leaves no time when the budget is used up, even below zero', () => {
    const { meter: m, deadline, pass } = meter();
    m.setBudget(10n);
    m.enter();
    pass(5000n);
    expect(m.isOver).toBe(true);
    m.leave();
    m.enter();
    expect(deadline.value).toBe(1010n);
  });

  it('is not over because time passed after the guest had left', () => {
    const { meter: m, pass } = meter();
    m.setBudget(100_000n);
    m.enter();
    pass(1_000n);
    m.leave();
    pass(1_000_000n);
    expect(m.isOver).toBe(false);
    m.enter();
    pass(99_000n);
    m.leave();
    expect(m.isOver).toBe(true);
  });

  it('gives no time at all after a stop', () => {
    const { meter: m, deadline } = meter();
    m.setBudget(100_000n);
    m.enter();
    m.stop();
    m.leave();
    expect([deadline.value, m.isOver]).toEqual([0n, false]);
  });

  it('sets the deadline of instances that are made while it runs', () => {
    const { meter: m } = meter();
    m.setBudget(100n);
    m.enter();
    const young = new WebAssembly.Global({ value: 'i64', mutable: true }, 0n);
    m.attach(young);
    expect(young.value).toBe(1100n);
  });
});
