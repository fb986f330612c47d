import { DecodeError } from '#engine/build/build-error.js';

/** Items of all vectors of one input together: memory stays bounded whatever the counts claim. Large real components have some 100,000. */
const MAX_ITEMS = 4_000_000;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the primitives of the WebAssembly binary format. Every failure is a `DecodeError` with the offset in the whole input. */
export class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public pos = 0,
    readonly end = bytes.length,
    private readonly budget = { items: MAX_ITEMS },
  ) {}

  get done(): boolean {
    return this.pos >= this.end;
  }

  fail(message: string, at = this.pos): never {
    throw new DecodeError('malformed', message, at);
  }

  unsupported(message: string, at = this.pos): never {
    throw new DecodeError('unsupported', `${message} is not supported`, at);
  }

  byte(): number {
    if (this.pos >= this.end) this.fail('unexpected end');
    return this.bytes[this.pos++]!;
  }

  peek(): number {
    if (this.pos >= this.end) this.fail('unexpected end');
    return this.bytes[this.pos]!;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      if (shift === 28 && byte > 0x0f) this.fail('integer does not fit in 32 bits', this.pos - 1);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  /** A type index, written as a non-negative signed 33-bit number (Binary.md, valtype). */
  s33Index(): number {
    const at = this.pos;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      if (shift === 28 && byte > 0x0f) this.fail('type index out of range', at);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte >= 0x80) continue;
      if (byte & 0x40) this.fail('unknown type opcode', at);
      return value;
    }
  }

  take(length: number): Uint8Array {
    if (length > this.end - this.pos) this.fail('length is out of bounds');
    const part = this.bytes.subarray(this.pos, this.pos + length);
    this.pos += length;
    return part;
  }

  /** A reader of the next `length` bytes, which this one skips. Offsets stay those of the whole input. */
  sub(length: number): Reader {
    if (length > this.end - this.pos) this.fail('length is out of bounds');
    const part = new Reader(this.bytes, this.pos, this.pos + length, this.budget);
    this.pos += length;
    return part;
  }

  name(): string {
    const at = this.pos;
    const part = this.take(this.u32());
    try {
      return UTF8.decode(part);
    } catch {
      return this.fail('name is not UTF-8', at);
    }
  }

  /** A count that the rest of the input can hold: each item takes at least one byte. */
  count(): number {
    const at = this.pos;
    const count = this.u32();
    if (count > this.end - this.pos) this.fail('count is larger than what follows', at);
    return count;
  }

  vec<T>(item: (reader: this) => T): T[] {
    const at = this.pos;
    const count = this.count();
    this.budget.items -= count;
    if (this.budget.items < 0) throw new DecodeError('limit', `more than ${MAX_ITEMS} items`, at);
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(item(this));
    return items;
  }

  optional<T>(item: (reader: this) => T): T | null {
    return this.flag('optional') ? item(this) : null;
  }

  flag(what: string): boolean {
    const byte = this.byte();
    if (byte > 1) this.fail(`bad ${what} flag ${hex(byte)}`, this.pos - 1);
    return byte === 1;
  }
}

export function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0')}`;
}
