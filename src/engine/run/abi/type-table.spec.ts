import { describe, expect, it } from '@jest/globals';
import type { PlanType } from '#engine/plan.js';
import { CallContext, type HandleScope } from './codec.js';
import type { Flat } from './layout.js';
import { TypeTable, isIndirect, needsSpill } from './type-table.js';

/** The last type is the one under test. */
function table(...types: PlanType[]): TypeTable {
  return new TypeTable({ types, funcTypes: [] }, []);
}
const last = (...types: PlanType[]) => table(...types).codec(types.length - 1);

/** A context over fresh memory whose realloc hands out what follows 1024. */
function memory(encoding: CallContext['encoding'] = 'utf8', maxAllocationBytes = 1 << 20) {
  const pages = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  const handles = { mayLeave: true } as HandleScope;
  const cx = new CallContext(handles, encoding, { maxAllocationBytes });
  let next = 1024;
  cx.bindMemory(pages);
  cx.bindRealloc((_old: number, _oldBytes: number, align: number, bytes: number) => {
    const at = Math.ceil(next / align) * align;
    next = at + bytes;
    return at;
  });
  return { cx, pages, handles };
}

describe('layout of types', () => {
  it.each<[string, PlanType[], { size: number; align: number; flat: string[] }]>([
    ['bool', [{ t: 'bool' }], { size: 1, align: 1, flat: ['i32'] }],
    ['record with holes', [{ t: 'u8' }, { t: 'u64' }, { t: 'record', fields: [['a', 0], ['b', 1], ['c', 0]] }], { size: 24, align: 8, flat: ['i32', 'i64', 'i32'] }],
    ['option<u64>', [{ t: 'u64' }, { t: 'option', of: 0 }], { size: 16, align: 8, flat: ['i32', 'i64'] }],
    ['result<u8, string>', [{ t: 'u8' }, { t: 'string' }, { t: 'result', ok: 0, err: 1 }], { size: 12, align: 4, flat: ['i32', 'i32', 'i32'] }],
    ['result without payloads', [{ t: 'result', ok: null, err: null }], { size: 1, align: 1, flat: ['i32'] }],
    ['f32 joined with u32', [{ t: 'f32' }, { t: 'u32' }, { t: 'variant', cases: [['a', 0], ['b', 1]] }], { size: 8, align: 4, flat: ['i32', 'i32'] }],
    ['f32 joined with u64', [{ t: 'f32' }, { t: 'u64' }, { t: 'variant', cases: [['a', 0], ['b', 1]] }], { size: 16, align: 8, flat: ['i32', 'i64'] }],
    ['9 flags', [{ t: 'flags', names: [...'abcdefghi'] }], { size: 2, align: 2, flat: ['i32'] }],
    ['17 flags', [{ t: 'flags', names: [...'abcdefghijklmnopq'] }], { size: 4, align: 4, flat: ['i32'] }],
    ['enum of 257', [{ t: 'enum', names: Array.from({ length: 257 }, (_, i) => `c${i}`) }], { size: 2, align: 2, flat: ['i32'] }],
    ['list<u16, 3>', [{ t: 'u16' }, { t: 'list', of: 0, length: 3 }], { size: 6, align: 2, flat: ['i32', 'i32', 'i32'] }],
  ])('%s is as the specification says', (_, types, layout) => {
    const { size, align, flat } = last(...types);
    expect({ size, align, flat }).toEqual(layout);
  });

  it('stops counting flat types once they cannot travel flat', () => {
    const { size, flat } = last({ t: 'u8' }, { t: 'list', of: 0, length: 1_000_000 });
    expect([size, flat.length, needsSpill(flat.length)]).toEqual([1_000_000, 17, true]);
  });

  it('returns one flat value directly and more through memory', () => {
    expect([isIndirect(null), isIndirect(last({ t: 'u64' })), isIndirect(last({ t: 'string' }))]).toEqual([false, false, true]);
  });

  it('finds equal types under different numbers, and tells resources apart', () => {
    const types = table({ t: 'u8' }, { t: 'list', of: 0 }, { t: 'u8' }, { t: 'list', of: 2 }, { t: 'own', resource: 0 }, { t: 'own', resource: 1 });
    expect(types.key(1)).toBe(types.key(3));
    expect(types.key(4)).not.toBe(types.key(5));
  });
});

describe('flat variants', () => {
  const codec = last({ t: 'f32' }, { t: 'u64' }, { t: 'u32' }, { t: 'variant', cases: [['f', 0], ['big', 1], ['none', null], ['small', 2]] });
  it.each<[unknown, Flat]>([
    [{ tag: 'f', val: 1.5 }, [0, 0x3fc00000n]],
    [{ tag: 'big', val: 2n ** 64n - 1n }, [1, -1n]],
    [{ tag: 'none', val: undefined }, [2, 0n]],
    [{ tag: 'small', val: 0xffffffff }, [3, 0xffffffffn]],
  ])('carry %p as joined core values', (value, flat) => {
    const { cx } = memory();
    const lowered: Flat = [];
    codec.lower(cx, lowered, 0, value);
    expect(lowered).toEqual(flat);
    expect(codec.lift(cx, lowered, 0)).toEqual(value);
  });

  it('refuse a case that there is not, from either side', () => {
    const { cx } = memory();
    expect(() => codec.lift(cx, [4, 0n], 0)).toThrow('not the number of a case');
    expect(() => codec.lower(cx, [], 0, { tag: 'nope' })).toThrow('no case of the variant');
  });
});

describe('memory of values', () => {
  it('is looked at again when realloc grew it', () => {
    const { cx, pages } = memory();
    cx.bindRealloc((_old: number, _oldBytes: number, _align: number, _bytes: number) => {
      pages.grow(1);
      return 65536;
    });
    const codec = last({ t: 'string' });
    codec.store(cx, 0, 'grown');
    expect(codec.load(cx, 0)).toBe('grown');
  });

  it('is asked for with the bytes and the alignment of the elements', () => {
    const { cx } = memory();
    const asked: number[][] = [];
    cx.bindRealloc((...args: number[]) => asked.push(args) && 2048);
    last({ t: 'u64' }, { t: 'list', of: 0 }).store(cx, 0, [1n, 2n]);
    last({ t: 'string' }).store(cx, 0, 'né');
    expect(asked).toEqual([[0, 0, 8, 16], [0, 0, 1, 3]]);
  });

  it('is not handed out beyond the limit of a call, which starts anew with each call', () => {
    const { cx } = memory('utf8', 10);
    const codec = last({ t: 'string' });
    codec.store(cx, 0, '12345678');
    expect(() => codec.store(cx, 0, '123')).toThrow('more than 10 bytes');
    cx.begin();
    codec.store(cx, 0, '123');
  });

  it('may not be asked for by a guest that has no realloc', () => {
    const { cx } = memory();
    cx.bindRealloc(null);
    expect(() => last({ t: 'string' }).store(cx, 0, 'x')).toThrow('no realloc');
  });
});

describe('lists of bytes', () => {
  const bytes = last({ t: 'u8' }, { t: 'list', of: 0 });

  it.each(['', 'short', 'longer than any loop', 'ü\0\xff'.repeat(5)])('may be given as latin-1 text: %j', (text) => {
    const { cx } = memory();
    bytes.store(cx, 0, text);
    expect(Buffer.from(bytes.load(cx, 0) as Uint8Array).toString('latin1')).toBe(text);
  });

  it('are the only lists that may be', () => {
    const { cx } = memory();
    for (const element of ['s8', 'u16', 'char'] as const) expect(() => last({ t: element }, { t: 'list', of: 0 }).store(cx, 0, 'text')).toThrow('expected a list');
    expect(() => last({ t: 'u8' }, { t: 'list', of: 0, length: 4 }).store(cx, 0, 'text')).toThrow('expected a list');
  });
});

describe('strings', () => {
  const codec = last({ t: 'string' });

  it.each([['Ünïcode', false], ['ascii', false], ['日本', true]])('in latin1+utf16 take the narrow form when they can: %s', (text, wide) => {
    const { cx } = memory('latin1+utf16');
    codec.store(cx, 0, text);
    expect(cx.view.getUint32(4, true)).toBe(wide ? text.length + 0x80000000 : text.length);
    expect(codec.load(cx, 0)).toBe(text);
  });

  it('that are half a surrogate pair become the replacement character', () => {
    for (const encoding of ['utf8', 'utf16', 'latin1+utf16'] as const) {
      const { cx } = memory(encoding);
      codec.store(cx, 0, 'a\ud800');
      expect(codec.load(cx, 0)).toBe('a\ufffd');
    }
  });

  it('that are not valid UTF-16 trap', () => {
    const { cx } = memory('utf16');
    cx.view.setUint16(100, 0xdc00, true);
    cx.view.setUint32(0, 100, true);
    cx.view.setUint32(4, 1, true);
    expect(() => codec.load(cx, 0)).toThrow('not valid UTF-16');
  });

  it('keep their byte order mark', () => {
    const { cx } = memory();
    codec.store(cx, 0, '\ufeff\ufffd');
    expect(codec.load(cx, 0)).toBe('\ufeff\ufffd');
  });

  it('of a host that gives something else are refused', () => {
    expect(() => codec.store(memory().cx, 0, 7)).toThrow('expected a string');
  });
});
