import { describe, expect, it } from '@jest/globals';
import { LimitTrap } from '#engine/run/host.js';
import { Fields } from './http/fields.js';
import { HostMemory, HostMemoryTotal, PIECE_BYTES } from './host-memory.js';

const value = (bytes: number) => new Uint8Array(bytes).fill(0x61);

describe(HostMemory.name, () => {
  it('ends the guest that has more held than it may, not one that comes to its limit', () => {
    const memory = new HostMemory(100);
    memory.take(100);
    expect(() => memory.take(1)).toThrow(LimitTrap);
  });

  it('tells the guest at its next call of what came while it did not run', () => {
    const memory = new HostMemory(100);
    memory.add(101);
    expect(() => memory.check()).toThrow(LimitTrap);
    memory.give(1);
    memory.check();
  });

  it('is bounded for all invocations of a component together, and one that is over counts no more', () => {
    const total = new HostMemoryTotal(150);
    const [first, second] = [new HostMemory(100, total), new HostMemory(100, total)];
    first.take(100);
    expect(() => second.take(60)).toThrow('for all invocations of the component');
    first.close();
    expect(total.bytes).toBe(60);
    // What the first one left behind goes later: nobody is credited.
    first.give(100);
    first.add(100);
    expect(total.bytes).toBe(60);
    second.close();
    expect(total.bytes).toBe(0);
  });
});

describe('fields on an account', () => {
  it('count with what they hold until the last who has them drops them', () => {
    const memory = new HostMemory(Infinity);
    const fields = new Fields(memory);
    fields.append('a', value(1_000));
    fields.append('b', value(10));
    expect(memory.heldBytes).toBe(1_012 + 2 * PIECE_BYTES);
    fields.set('a', [value(1)]);
    expect(memory.heldBytes).toBe(13 + 2 * PIECE_BYTES);
    const copy = fields.clone(memory);
    expect(memory.heldBytes).toBe(2 * (13 + 2 * PIECE_BYTES));
    copy.drop();
    fields.share().drop();
    expect(memory.heldBytes).toBe(13 + 2 * PIECE_BYTES);
    fields.drop();
    expect(memory.heldBytes).toBe(0);
  });

  it('that could not be made of a list hold nothing', () => {
    const memory = new HostMemory(Infinity);
    Fields.fromList([['a', value(10)], ['not a name', value(10)]], memory);
    expect(memory.heldBytes).toBe(0);
  });

  it('of a response count as they come', () => {
    const memory = new HostMemory(Infinity);
    const fields = Fields.fromWire([['a', 'bc'], ['connection', 'x']], memory);
    expect(memory.heldBytes).toBe(14 + 2 * PIECE_BYTES);
    fields.entries();
    fields.drop();
    expect(memory.heldBytes).toBe(0);
  });
});
