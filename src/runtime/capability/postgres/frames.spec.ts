import { describe, expect, it } from '@jest/globals';
import { BadFrame, Frames } from './frames.js';

function frame(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind, 0, 'latin1');
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

function row(...fields: (string | null)[]): Buffer {
  const parts = fields.map((field) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(field === null ? -1 : field.length, 0);
    return Buffer.concat([length, Buffer.from(field ?? '', 'latin1')]);
  });
  return frame('D', Buffer.concat([Buffer.from([0, fields.length]), ...parts]));
}

function cut(bytes: Buffer, pieceBytes: number, maxBytes = 1000): string[] {
  const seen: string[] = [];
  const frames = new Frames({
    row: (fields) => seen.push(JSON.stringify(fields.map((field) => field && field.toString('latin1')))),
    messages: (other) => seen.push(other.toString('latin1')),
  }, maxBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) frames.push(bytes.subarray(at, at + pieceBytes));
  return seen;
}

describe(Frames.name, () => {
  const stream = Buffer.concat([frame('1', Buffer.alloc(0)), frame('T', Buffer.from('columns')), row('a', null, ''), row(), row('\xff'.repeat(300)), frame('C', Buffer.from('SELECT 2')), frame('Z', Buffer.from('I'))]);

  it('gives the same rows and messages in the same order, however the bytes are cut', () => {
    const rows = ['["a",null,""]', '[]', JSON.stringify(['\xff'.repeat(300)])];
    for (const pieceBytes of [1, 2, 3, 5, 7, 64, stream.length]) {
      const seen = cut(stream, pieceBytes);
      expect(seen.filter((each) => each.startsWith('['))).toEqual(rows);
      expect(seen.filter((each) => !each.startsWith('[')).join('')).toBe(Buffer.concat([frame('1', Buffer.alloc(0)), frame('T', Buffer.from('columns')), frame('C', Buffer.from('SELECT 2')), frame('Z', Buffer.from('I'))]).toString('latin1'));
    }
  });

  it('refuses a message that is too large before it has come', () => {
    const head = row('x'.repeat(2000)).subarray(0, 8);
    expect(() => cut(head, head.length)).toThrow('query result exceeds limit of 1000 bytes');
  });

  it('refuses lengths that cannot be', () => {
    expect(() => cut(Buffer.from([0x5a, 0, 0, 0, 3, 0]), 6)).toThrow(BadFrame);
    const bad = row('abc');
    bad.writeInt32BE(4, 7);
    expect(() => cut(bad, bad.length)).toThrow(BadFrame);
    expect(() => cut(frame('D', Buffer.from([0])), 100)).toThrow(BadFrame);
  });
});
