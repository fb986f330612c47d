import { describe, expect, it } from '@jest/globals';
import { RespError, RespReader, type RedisReply } from './resp-reader.js';

function read(text: string, step = text.length, maxBytes?: number): RedisReply[] {
  const replies: RedisReply[] = [];
  const reader = new RespReader((reply) => replies.push(reply), maxBytes);
  for (let at = 0; at < text.length; at += step) reader.feed(Buffer.from(text.slice(at, at + step), 'latin1'));
  return replies;
}

const binary = (text: string) => ({ tag: 'binary', val: new Uint8Array(Buffer.from(text, 'latin1')) });
const nil = { tag: 'nil' };
const int = (val: bigint) => ({ tag: 'int64', val });
const ok = { tag: 'status', val: 'OK' };

describe(RespReader.name, () => {
  const CASES: [name: string, wire: string, values: object[]][] = [
    ['a status', '+OK\r\n', [ok]],
    ['an integer', ':-42\r\n', [int(-42n)]],
    ['an integer that no double holds', ':9223372036854775807\r\n', [int(9_223_372_036_854_775_807n)]],
    ['a text with any bytes', '$5\r\na\r\n\0b\r\n', [binary('a\r\n\0b')]],
    ['an empty text', '$0\r\n\r\n', [binary('')]],
    ['no text', '$-1\r\n', [nil]],
    ['no list', '*-1\r\n', [nil]],
    ['an empty list', '*0\r\n', []],
    ['lists within lists, laid flat', '*3\r\n*2\r\n:1\r\n*0\r\n$1\r\na\r\n*1\r\n+OK\r\n', [int(1n), binary('a'), ok]],
    ['what RESP3 adds', '~5\r\n_\r\n#t\r\n#f\r\n,1.5\r\n(123456789012345678901\r\n', [nil, int(1n), int(0n), binary('1.5'), binary('123456789012345678901')]],
  ];
  for (const [name, wire, values] of CASES) {
    it(`reads ${name}, however it is cut`, () => {
      for (let step = 1; step <= wire.length; step++) expect(read(wire, step)).toEqual([{ values, error: null }]);
    });
  }

  it('reads one reply after the other', () => {
    expect(read('+OK\r\n:1\r\n$1\r\nx\r\n', 7).map(({ values }) => values)).toEqual([[ok], [int(1n)], [binary('x')]]);
  });

  it('gives an error of the server, also one inside a list, and goes on behind it', () => {
    expect(read('-ERR no\r\n+OK\r\n')).toEqual([{ values: [], error: 'ERR no' }, { values: [ok], error: null }]);
    expect(read('*2\r\n:1\r\n-ERR in\r\n+OK\r\n').map(({ error }) => error)).toEqual(['ERR in', null]);
    expect(read('!5\r\nERR x\r\n')[0]!.error).toBe('ERR x');
  });

  it('names what has no place in the interface, and reads past it', () => {
    expect(read('%1\r\n+a\r\n:1\r\n+OK\r\n').map(({ error }) => error)).toEqual(['Redis Map type is not supported', null]);
    expect(read('|1\r\n+a\r\n:1\r\n:2\r\n+OK\r\n').map(({ error }) => error)).toEqual(['Redis Attribute type is not supported', null]);
    expect(read('>1\r\n+a\r\n+OK\r\n').map(({ error }) => error)).toEqual(['Redis Pub/Sub types are not supported', null]);
    expect(read('=7\r\ntxt:abc\r\n')[0]!.error).toBe('Redis string with format attribute is not supported');
  });

  it('stops at the cap: a text that is announced too large, many small values, and a line without an end', () => {
    expect(() => read('$101\r\n', 6, 100)).toThrow('query result exceeds limit of 100 bytes');
    expect(() => read(`*9\r\n${':1\r\n'.repeat(9)}`, 4, 100)).toThrow('query result exceeds limit of 100 bytes');
    expect(() => read(`+${'x'.repeat(70_000)}`, 10_000)).toThrow(RespError);
  });

  it.each(['hello\r\n', ':one\r\n', '$-2\r\n', '$x\r\n', '*1.5\r\n', '+OK\n', '$1\r\nabc', '\r\n'])('refuses %j', (wire) => {
    expect(() => read(wire)).toThrow(RespError);
  });

  it('takes time in proportion to what arrives', () => {
    const chunk = Buffer.alloc(1_000);
    const replies: RedisReply[] = [];
    const reader = new RespReader((reply) => replies.push(reply));
    reader.feed(Buffer.from('$20000000\r\n'));
    for (let at = 0; at < 20_000; at++) reader.feed(chunk);
    reader.feed(Buffer.from('\r\n'));
    expect(replies[0]!.values[0]).toMatchObject({ tag: 'binary', val: { length: 20_000_000 } });
  });
});
