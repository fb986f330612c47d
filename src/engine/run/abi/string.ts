import { Buffer } from 'node:buffer';
import type { CallContext, Codec, GuestBytes } from './codec.js';
import { MAX_BYTES, trap, type Flat } from './layout.js';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Set in the length of a latin1+utf16 string that holds UTF-16. */
const UTF16_TAG = 0x80000000;
const LATIN1_ONLY = /^[\0-\xff]*$/;

function checkRange(cx: CallContext, ptr: number, byteLength: number, align: number): void {
  if (byteLength > MAX_BYTES) trap('a string is too long');
  cx.check(ptr, byteLength, align);
  cx.spend(byteLength);
}

function loadUtf8(cx: CallContext, ptr: number, units: number): string {
  checkRange(cx, ptr, units, 1);
  const text = cx.bytes.utf8Slice(ptr, ptr + units);
  // utf8Slice puts U+FFFD in place of what is invalid: only then is the strict, slower way worth it
  if (!text.includes('\ufffd')) return text;
  try {
    return strictUtf8.decode(cx.bytes.subarray(ptr, ptr + units));
  } catch {
    return trap('a string is not valid UTF-8');
  }
}

function loadUtf16(cx: CallContext, ptr: number, units: number): string {
  checkRange(cx, ptr, units * 2, 2);
  const text = cx.bytes.ucs2Slice(ptr, ptr + units * 2);
  if (!text.isWellFormed()) trap('a string is not valid UTF-16');
  return text;
}

function loadLatin1(cx: CallContext, ptr: number, units: number): string {
  checkRange(cx, ptr, units, 2);
  return cx.bytes.latin1Slice(ptr, ptr + units);
}

/** The string at `ptr`; `units` counts bytes (UTF-8), code units (UTF-16), or either with the tag (latin1+utf16). */
export function loadString(cx: CallContext, ptr: number, units: number): string {
  switch (cx.encoding) {
    case 'utf8': return loadUtf8(cx, ptr, units);
    case 'utf16': return loadUtf16(cx, ptr, units);
    case 'latin1+utf16': return units >= UTF16_TAG ? loadUtf16(cx, ptr, units - UTF16_TAG) : loadLatin1(cx, ptr, units);
  }
}

/** Up to here a loop over the characters is quicker than a call of native code. */
const MAX_LOOP_CHARS = 10;

/** The characters of a text as one byte each. */
export function writeLatin1(bytes: GuestBytes, text: string, ptr: number): void {
  const { length } = text;
  if (length > MAX_LOOP_CHARS) bytes.latin1Write(text, ptr, length);
  else for (let i = 0; i < length; i++) bytes[ptr + i] = text.charCodeAt(i);
}

function utf8Length(text: string): number {
  const { length } = text;
  if (length > MAX_LOOP_CHARS) return Buffer.byteLength(text);
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text);
  return length;
}

function storeUtf16(cx: CallContext, text: string): number {
  const ptr = cx.allocate(text.length * 2, 2);
  cx.bytes.ucs2Write(text, ptr, text.length * 2);
  return ptr;
}

/** Allocates and writes; returns the pointer and leaves the length in `cx.length`. */
export function storeString(cx: CallContext, value: unknown): number {
  if (typeof value !== 'string') throw new TypeError(`expected a string, the host gave ${typeof value}`);
  if (cx.encoding === 'utf8') {
    const byteLength = utf8Length(value);
    const ptr = cx.allocate(byteLength, 1);
    if (byteLength === value.length) writeLatin1(cx.bytes, value, ptr);
    else cx.bytes.utf8Write(value, ptr, byteLength);
    cx.length = byteLength;
    return ptr;
  }
  const text = value.toWellFormed();
  if (cx.encoding === 'latin1+utf16' && LATIN1_ONLY.test(text)) {
    const ptr = cx.allocate(text.length, 2);
    writeLatin1(cx.bytes, text, ptr);
    cx.length = text.length;
    return ptr;
  }
  const ptr = storeUtf16(cx, text);
  cx.length = cx.encoding === 'utf16' ? text.length : text.length + UTF16_TAG;
  return ptr;
}

export const STRING: Codec = {
  size: 8,
  align: 4,
  flat: ['i32', 'i32'],
  load: (cx, ptr) => loadString(cx, cx.view.getUint32(ptr, true), cx.view.getUint32(ptr + 4, true)),
  store: (cx, ptr, value) => {
    const text = storeString(cx, value);
    cx.view.setUint32(ptr, text, true);
    cx.view.setUint32(ptr + 4, cx.length, true);
  },
  lift: (cx, flat: Flat, at) => loadString(cx, (flat[at] as number) >>> 0, (flat[at + 1] as number) >>> 0),
  lower: (cx, flat: Flat, at, value) => {
    flat[at] = storeString(cx, value) | 0;
    flat[at + 1] = cx.length | 0;
  },
};
