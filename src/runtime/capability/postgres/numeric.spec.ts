import { describe, expect, it } from '@jest/globals';
import { decimalOf } from './numeric.js';

/** As numeric_send writes it. */
function sent(weight: number, sign: number, scale: number, ...digits: number[]): Buffer {
  const bytes = Buffer.alloc(8 + 2 * digits.length);
  bytes.writeUInt16BE(digits.length, 0);
  bytes.writeInt16BE(weight, 2);
  bytes.writeUInt16BE(sign, 4);
  bytes.writeUInt16BE(scale, 6);
  digits.forEach((digit, at) => bytes.writeUInt16BE(digit, 8 + 2 * at));
  return bytes;
}

describe(decimalOf.name, () => {
  it('keeps every digit, and those after the point that are shown', () => {
    expect(decimalOf(sent(0, 0, 0))).toBe('0');
    expect(decimalOf(sent(0, 0, 3))).toBe('0.000');
    expect(decimalOf(sent(0, 0, 0, 7))).toBe('7');
    expect(decimalOf(sent(-1, 0, 9, 1234, 5678, 9000))).toBe('0.123456789');
    expect(decimalOf(sent(-2, 0x4000, 8, 1))).toBe('-0.00000001');
    expect(decimalOf(sent(1, 0x4000, 4, 12, 300, 4500))).toBe('-120300.4500');
    expect(decimalOf(sent(5, 0, 0, 1))).toBe('100000000000000000000');
    expect(decimalOf(sent(1, 0, 1, 1, 0, 5000))).toBe('10000.5');
  });

  it('knows what is no number', () => {
    expect([0xc000, 0xd000, 0xf000].map((sign) => decimalOf(sent(0, sign, 0)))).toEqual(['NaN', 'Infinity', '-Infinity']);
  });
});
