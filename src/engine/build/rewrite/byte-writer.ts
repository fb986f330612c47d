import { u32Length } from './encode.js';

/** A growing output. */
export class ByteWriter {
  length = 0;
  private bytes: Uint8Array<ArrayBuffer>;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  put(...bytes: number[]): void {
    this.reserve(bytes.length);
    for (let i = 0; i < bytes.length; i++) this.bytes[this.length++] = bytes[i]!;
  }

  putAll(part: ArrayLike<number>): void {
    this.reserve(part.length);
    for (let i = 0; i < part.length; i++) this.bytes[this.length++] = part[i]!;
  }

  u32(value: number): void {
    this.reserve(5);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  /** Copies a part of other bytes: most are a few bytes between two edits. */
  copy(from: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.reserve(count);
    if (count > 64) {
      this.bytes.set(from.subarray(start, end), this.length);
      this.length += count;
      return;
    }
    for (let i = start; i < end; i++) this.bytes[this.length++] = from[i]!;
  }

  /** Puts the length of what `write` writes before it. */
  sized(write: () => void): void {
    const start = this.length;
    this.reserve(5);
    this.length += 5;
    write();
    const end = this.length;
    const size = end - start - 5;
    this.length = start;
    this.u32(size);
    this.bytes.copyWithin(this.length, start + 5, end);
    this.length = start + u32Length(size) + size;
  }

  /** What was written; the writer is used up. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
