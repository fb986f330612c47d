import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Program } from '#engine/run/program.js';
import { resolveHost } from '#runtime/capability/table.js';
import type { GuestSlot } from '#runtime/component/guest-pool.js';
import { SlotPool } from '#runtime/component/slot-pool.js';
import type { SlotState } from '#runtime/component/slot-state.js';
import { TestGuest } from '../capability/guest-state.js';
import { BUDGET_NS, programOf } from '../engine/engine-harness.js';
import { buildWat } from '../fixtures/build-wat.js';

const guest = new TestGuest();
let program: Program<SlotState>;

beforeAll(async () => {
  program = await programOf(await buildWat('hello-03'), {}, { resolve: resolveHost as never }) as Program<never>;
});
afterAll(() => guest.dispose());

const newPool = () => new SlotPool(program, guest.grant, BUDGET_NS, (error) => { throw error; });

function useAtOnce(pool: SlotPool, count: number): Set<GuestSlot> {
  const slots = Array.from({ length: count }, () => pool.acquire());
  for (const slot of slots) pool.takeBack(slot);
  return new Set(slots);
}

describe(SlotPool.name, () => {
  it('keeps as many slots as were lately in use at a time', () => {
    const pool = newPool();
    const before = useAtOnce(pool, 24);
    expect([...useAtOnce(pool, 24)].filter((slot) => !before.has(slot))).toHaveLength(0);
  });

  it('gives slots of a burst back when it is long over', () => {
    const pool = newPool();
    const before = useAtOnce(pool, 24);
    for (let i = 0; i < 20_000; i++) useAtOnce(pool, 1);
    expect([...useAtOnce(pool, 24)].filter((slot) => before.has(slot)).length).toBeLessThan(12);
  });
});
