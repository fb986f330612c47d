import { describe, expect, it } from '@jest/globals';
import { HandleTable } from './handle-table.js';

const KIND = { name: 'thing' };
const OTHER = { name: 'other thing' };

describe(HandleTable.name, () => {
  it('gives handles from 1 on, and freed ones again', () => {
    const table = new HandleTable(10);
    expect([table.add(KIND, 'a'), table.add(KIND, 'b')]).toEqual([1, 2]);
    table.remove(1);
    expect([table.add(KIND, 'c'), table.get(KIND, 1), table.add(KIND, 'd')]).toEqual([1, 'c', 3]);
  });

  it.each([0, 1, 2, -1, 1.5, 4294967295])('knows no handle %p that it did not give', (handle) => {
    expect(() => new HandleTable(10).get(KIND, handle)).toThrow('there is no handle');
  });

  it('tells kinds apart, and says which is which', () => {
    const table = new HandleTable(10);
    const handle = table.add(KIND, 'a');
    expect(() => table.get(OTHER, handle)).toThrow('is a thing, not a other thing');
  });

  it('is full at its limit, until something is freed', () => {
    const table = new HandleTable(2);
    table.add(KIND, 1);
    table.add(KIND, 2);
    expect(() => table.add(KIND, 3)).toThrow('more than 2 handles');
    table.remove(2);
    expect(table.add(KIND, 3)).toBe(2);
  });

  it('keeps what is lent', () => {
    const table = new HandleTable(10);
    const handle = table.add(KIND, 1);
    table.lend(handle);
    expect(() => table.remove(handle)).toThrow('is lent');
    table.giveBack([handle]);
    table.remove(handle);
    expect(table.isEmpty).toBe(true);
  });

  it.each([3, 300])('is as new after %i handles and a clear', (count) => {
    const table = new HandleTable(count);
    for (let i = 0; i < count; i++) table.add(KIND, i);
    table.lend(2);
    table.remove(1);
    table.clear();
    expect(table.isEmpty).toBe(true);
    expect(() => table.get(KIND, 3)).toThrow('there is no handle');
    expect(Array.from({ length: count }, (_, i) => table.add(KIND, i))).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    table.remove(2);
  });

  it('gives out what it holds once, and is empty then', () => {
    const table = new HandleTable(10);
    table.add(KIND, 'a');
    table.remove(table.add(KIND, 'gone'));
    table.add(OTHER, 'lent', { borrows: 1 });
    const taken: unknown[] = [];
    table.drain((...each) => taken.push(each));
    expect(taken).toEqual([[KIND, 'a', true], [OTHER, 'lent', false]]);
    expect(table.isEmpty).toBe(true);
  });
});
