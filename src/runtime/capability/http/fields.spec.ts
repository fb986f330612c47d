import { describe, expect, it } from '@jest/globals';
import { declaredLength, Fields, IMMUTABLE, INVALID_SYNTAX, IS_FORBIDDEN, SIZE_EXCEEDED } from './fields.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');
const made = (entries: [string, string][]) => Fields.fromList(entries.map(([name, value]) => [name, bytes(value)])) as Fields;
const texts = (values: unknown) => (values as (string | Uint8Array)[]).map((value) => (typeof value === 'string' ? value : Buffer.from(value).toString('latin1')));

describe(Fields.name, () => {
  it('keeps order and repeated names, and compares names without case', () => {
    const fields = made([['Set-Cookie', 'a=1'], ['Content-Type', 'text/plain'], ['set-cookie', 'b=2']]);
    expect(texts(fields.get('SET-COOKIE'))).toEqual(['a=1', 'b=2']);
    expect(fields.has('content-type')).toBe(true);
    expect(fields.entries().map(([name]) => name)).toEqual(['set-cookie', 'content-type', 'set-cookie']);
    expect(fields.toHeaders()).toEqual([['set-cookie', 'a=1'], ['content-type', 'text/plain'], ['set-cookie', 'b=2']]);
  });

  it('replaces, appends and deletes', () => {
    const fields = made([['a', '1'], ['b', '2'], ['a', '3']]);
    expect(fields.set('A', [bytes('x'), bytes('y')])).toBeUndefined();
    expect(fields.append('b', bytes('4'))).toBeUndefined();
    expect(texts(fields.get('a'))).toEqual(['x', 'y']);
    expect(texts(fields.getAndDelete('b'))).toEqual(['2', '4']);
    expect(fields.delete('a')).toBeUndefined();
    expect(fields.entries()).toEqual([]);
    expect(fields.get('no such')).toEqual([]);
  });

  it.each(['', 'a b', 'a:b', 'ä', 'a\n', 'x-\u212a'])('refuses the name %j', (name) => {
    expect(new Fields().append(name, bytes('x'))).toBe(INVALID_SYNTAX);
    expect(new Fields().set(name, [])).toBe(INVALID_SYNTAX);
    expect(new Fields().delete(name)).toBe(INVALID_SYNTAX);
  });

  it.each(['a\r\nb: c', 'a\0', 'a\x7f'])('refuses the value %j', (value) => {
    expect(new Fields().append('a', bytes(value))).toBe(INVALID_SYNTAX);
    expect(new Fields().set('a', [bytes('fine'), bytes(value)])).toBe(INVALID_SYNTAX);
    expect(Fields.fromList([['a', bytes(value)]])).toBe(INVALID_SYNTAX);
  });

  it('takes tabs and bytes above 0x7f', () => {
    expect(texts(made([['a', 'x\ty\xe4']]).get('a'))).toEqual(['x\ty\xe4']);
  });

  it.each(['connection', 'Transfer-Encoding', 'upgrade', 'keep-alive'])('refuses %s, a field of the connection', (name) => {
    expect(new Fields().append(name, bytes('x'))).toBe(IS_FORBIDDEN);
    expect(new Fields().set(name, [bytes('x')])).toBe(IS_FORBIDDEN);
    expect(new Fields().delete(name)).toBe(IS_FORBIDDEN);
  });

  it('does not show a guest the fields of its connection', () => {
    const fields = Fields.fromWire([['Host', 'a'], ['Connection', 'close'], ['Transfer-Encoding', 'chunked'], ['X-A', '1']]);
    expect(fields.entries().map(([name]) => name)).toEqual(['host', 'x-a']);
  });

  it('lets nobody change what came from the wire, but a copy of it', () => {
    const fields = Fields.fromWire([['a', '1']]);
    expect(fields.append('b', bytes('2'))).toBe(IMMUTABLE);
    expect(fields.delete('a')).toBe(IMMUTABLE);
    const copy = fields.clone();
    expect(copy.append('b', bytes('2'))).toBeUndefined();
    expect(copy.toHeaders()).toEqual([['a', '1'], ['b', '2']]);
    expect(fields.toHeaders()).toEqual([['a', '1']]);
  });

  it('bounds what a guest can pile up, and counts what it takes away', () => {
    const fields = new Fields();
    const big = bytes('x'.repeat(100_000));
    expect(fields.append('a', big)).toBeUndefined();
    expect(fields.append('b', big)).toBe(SIZE_EXCEEDED);
    expect(fields.set('a', [big])).toBeUndefined();
    expect(fields.delete('a')).toBeUndefined();
    expect(fields.append('b', big)).toBeUndefined();
  });
});

describe(declaredLength.name, () => {
  it.each([
    [[], null],
    [[['content-length', '5']], 5],
    [[['content-length', '5'], ['Content-Length', '5']], 5],
    [[['content-length', '5'], ['content-length', '6']], undefined],
    [[['content-length', '5, 5']], undefined],
    [[['content-length', '-1']], undefined],
    [[['content-length', '']], undefined],
    [[['content-length', '0x5']], undefined],
  ] as [[string, string][], number | null | undefined][])('%j: %s', (entries, expected) => {
    expect(declaredLength(made(entries))).toBe(expected);
  });
});
