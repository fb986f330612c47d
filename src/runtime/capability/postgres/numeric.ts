const NEGATIVE = 0x4000;
const NAN = 0xc000;
const POSITIVE_INFINITY = 0xd000;
const NEGATIVE_INFINITY = 0xf000;

/**
 * A `numeric` in its binary form (PostgreSQL, src/backend/utils/adt/numeric.c, numeric_send) as decimal text with all its digits: count of base-10000
 * digits, weight of the first, sign, digits to show after the point, the digits.
 */
export function decimalOf(bytes: Buffer): string {
  const count = bytes.readUInt16BE(0);
  const weight = bytes.readInt16BE(2);
  const sign = bytes.readUInt16BE(4);
  const scale = bytes.readUInt16BE(6);
  if (sign === NAN) return 'NaN';
  if (sign === POSITIVE_INFINITY) return 'Infinity';
  if (sign === NEGATIVE_INFINITY) return '-Infinity';
  const digit = (at: number): string => (at >= 0 && at < count ? String(bytes.readUInt16BE(8 + 2 * at)).padStart(4, '0') : '0000');
  let whole = '';
  for (let at = 0; at <= weight; at++) whole += digit(at);
  whole = whole.replace(/^0+(?=\d)/, '') || '0';
  let fraction = '';
  for (let at = weight + 1; fraction.length < scale; at++) fraction += digit(at);
  const text = scale > 0 ? `${whole}.${fraction.slice(0, scale)}` : whole;
  return sign === NEGATIVE ? `-${text}` : text;
}
