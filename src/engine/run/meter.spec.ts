import { describe, expect, it } from '@jest/globals';
import { CpuAccount } from './cpu-account.js';
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
    const account = new CpuAccount(100n);
    m.enter(account);
    expect(deadline.value).toBe(1100n);
    pass(30n);
    m.leave();
    pass(5000n);
    m.enter(account);
    expect([deadline.value, m.cpuNs(account)]).toEqual([6100n, 30n]);
  });

  it('counts nested entries once', () => {
    const { meter: m, pass } = meter();
    const account = new CpuAccount(100n);
    m.enter(account);
    m.enter(account);
    pass(10n);
    m.leave();
    pass(10n);
    m.leave();
    expect(m.cpuNs(account)).toBe(20n);
  });

  it('leaves no time when the budget is used up, even below zero', () => {
    const { meter: m, deadline, pass } = meter();
    const account = new CpuAccount(10n);
    m.enter(account);
    pass(5000n);
    expect(m.isOver(account)).toBe(true);
    m.leave();
    m.enter(account);
    expect(deadline.value).toBe(1010n);
  });

  it('is not over because time passed after the guest had left', () => {
    const { meter: m, pass } = meter();
    const account = new CpuAccount(100_000n);
    m.enter(account);
    pass(1_000n);
    m.leave();
    pass(1_000_000n);
    expect(m.isOver(account)).toBe(false);
    m.enter(account);
    pass(99_000n);
    m.leave();
    expect(m.isOver(account)).toBe(true);
  });

  it('gives no time at all after a stop', () => {
    const { meter: m, deadline } = meter();
    const account = new CpuAccount(100_000n);
    m.enter(account);
    m.stop();
    m.leave();
    expect([deadline.value, m.isOver(account)]).toEqual([0n, false]);
  });

  it('sets the deadline of instances that are made while it runs', () => {
    const { meter: m } = meter();
    const account = new CpuAccount(100n);
    m.enter(account);
    const young = new WebAssembly.Global({ value: 'i64', mutable: true }, 0n);
    m.attach(young);
    expect(young.value).toBe(1100n);
  });
});
