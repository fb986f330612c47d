/**
 * Writes DER (ITU-T X.690): what a certificate is made of, and no more. Nothing here reads: certificates are read by OpenSSL, through
 * `X509Certificate` and TLS.
 */

const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONSTRUCTED = 0xa0;
const PRIMITIVE = 0x80;

/** One element: its tag, the length in the fewest bytes (§10.1) and what it holds. */
export function element(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

export const sequence = (...parts: Uint8Array[]): Buffer => element(SEQUENCE, ...parts);
export const set = (...parts: Uint8Array[]): Buffer => element(SET, ...parts);
export const octets = (content: Uint8Array): Buffer => element(OCTET_STRING, content);
export const utf8 = (text: string): Buffer => element(UTF8_STRING, Buffer.from(text));
export const yes = (): Buffer => element(BOOLEAN, Buffer.from([0xff]));
/** `[number]` around other elements. */
export const explicit = (number: number, ...parts: Uint8Array[]): Buffer => element(CONSTRUCTED | number, ...parts);
/** `[number] IMPLICIT` over a primitive one. */
export const implicit = (number: number, content: Uint8Array): Buffer => element(PRIMITIVE | number, content);

/** Of bytes that stand for a number which is not negative. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const magnitude = bytes.subarray(start);
  // A first bit that is set would make it negative.
  return element(INTEGER, ...((magnitude[0] ?? 0) >= 0x80 ? [Buffer.from([0])] : []), magnitude);
}

/** All bits of whole bytes, or with so many of the last byte left out. */
export const bits = (content: Uint8Array, unused = 0): Buffer => element(BIT_STRING, Buffer.from([unused]), content);

/** Of an object identifier as `1.2.840`. */
export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return element(OBJECT_IDENTIFIER, Buffer.from([first * 40 + second, ...rest.flatMap(inBase128)]));
}

/** RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from then on; whole seconds. */
export function time(date: Date): Buffer {
  const digits = `${date.toISOString().replaceAll(/[-:T]|\.\d+Z$/g, '')}Z`;
  return date.getUTCFullYear() < 2050 ? element(UTC_TIME, Buffer.from(digits.slice(2))) : element(GENERALIZED_TIME, Buffer.from(digits));
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function inBase128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest % 128) | 0x80);
  return bytes;
}
