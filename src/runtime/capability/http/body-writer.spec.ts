import { describe, expect, it } from '@jest/globals';
import type { ByteSink } from '../guest.js';
import { BodyWriter } from './body-writer.js';

/** What a body of these pieces leaves as. */
function sent(pieces: readonly Uint8Array[]): Uint8Array[] {
  const writes: Uint8Array[] = [];
  const sink: ByteSink = { write: (chunk) => writes.push(chunk) > 0, onDrain: null, closed: false, onClose: null, end: () => undefined, abort: () => undefined };
  const writer = new BodyWriter('response', null, null);
  for (const piece of pieces) writer.write(piece);
  writer.attach({ start: () => sink, abandon: () => undefined, bodiless: false });
  writer.end();
  return writes;
}

const memory = Buffer.from(Array.from({ length: 60_000 }, (_, i) => i % 251));

describe('what a body writer held back', () => {
  it('leaves in one write when it is small, wherever its pieces stand', () => {
    const writes = sent([memory.subarray(10, 20), memory.subarray(0, 10), memory.subarray(500, 600)]);
    expect(writes.map(({ length }) => length)).toEqual([120]);
    expect(Buffer.concat(writes).equals(Buffer.concat([memory.subarray(10, 20), memory.subarray(0, 10), memory.subarray(500, 600)]))).toBe(true);
  });

  it('leaves uncopied when it is large: neighbours in memory in one write, the others in order', () => {
    const pieces = [[0, 8_000], [8_000, 16_000], [16_000, 20_000], [30_000, 38_000], [20_000, 30_000]].map(([from, to]) => memory.subarray(from, to));
    const writes = sent(pieces);
    expect(writes.map(({ length }) => length)).toEqual([20_000, 8_000, 10_000]);
    expect(Buffer.concat(writes).equals(Buffer.concat(pieces))).toBe(true);
    expect(writes.every(({ buffer }) => buffer === memory.buffer)).toBe(true);
  });
});
