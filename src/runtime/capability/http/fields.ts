import { Err } from '#engine/run/host.js';
import type { Headers } from '../guest.js';
import { PIECE_BYTES, type HostMemory } from '../host-memory.js';
import { FieldNames } from './field-names.js';
import { TOKEN } from './method.js';

/** Sum of names and values that a guest may put into one collection. */
const MAX_BYTES = 128 * 1024;

/**
 * Fields of one connection, not of the message (RFC 9110, section 7.6.1), that neither guests see nor servers get. `host` is no part:
 * guests may read and set it, and outgoing requests take it from the authority.
 */
const FORBIDDEN = new FieldNames([
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings',
]);

export type HeaderError = { tag: 'invalid-syntax' | 'forbidden' | 'immutable' | 'size-exceeded' };
export const INVALID_SYNTAX = new Err<HeaderError>({ tag: 'invalid-syntax' });
export const IS_FORBIDDEN = new Err<HeaderError>({ tag: 'forbidden' });
export const IMMUTABLE = new Err<HeaderError>({ tag: 'immutable' });
export const SIZE_EXCEEDED = new Err<HeaderError>({ tag: 'size-exceeded' });
type Failed = Err<HeaderError>;
/** Latin-1 text, or bytes. */
type FieldValue = string | Uint8Array;

const asText = (value: Uint8Array): string => Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');

/** Whether a field from the wire is shown as it is. */
const isOwn = ([name]: Headers[number]): boolean => name === name.toLowerCase() && !FORBIDDEN.has(name);

/** RFC 9110, section 5.5: visible characters, obs-text, space and tab. */
function isValue(value: Uint8Array): boolean {
  // By index: an iterator over bytes is several times slower.
  for (let i = 0; i < value.length; i += 1) {
    const byte = value[i]!;
    if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) return false;
  }
  return true;
}

/** `fields` of wasi:http/types: names in lower case, in order, values as bytes. What came from the wire is copied at the first look. */
export class Fields {
  private names: string[] = [];
  private values: FieldValue[] = [];
  private bytes = 0;
  private wire: Headers | null = null;
  private chargedBytes = 0;
  /** Handles and messages that these fields belong to. */
  private holders = 1;
  immutable = false;

  /** @param memory the account of whoever holds them; null: there are few such fields */
  constructor(private readonly memory: HostMemory | null = null) {}

  /** What a peer sent; read-only, without the fields that belong to its connection. */
  static fromWire(headers: Headers, memory: HostMemory | null = null): Fields {
    const fields = new Fields(memory);
    fields.wire = headers;
    fields.immutable = true;
    if (memory) {
      for (const [name, value] of headers) fields.chargedBytes += name.length + value.length + PIECE_BYTES;
      memory.add(fields.chargedBytes);
    }
    return fields;
  }

  static fromList(entries: readonly (readonly [string, Uint8Array])[], memory: HostMemory | null = null): Fields | Failed {
    const fields = new Fields(memory);
    for (const [name, value] of entries) {
      const failed = fields.append(name, value);
      if (failed) {
        fields.drop();
        return failed;
      }
    }
    return fields;
  }

  /** As bytes, or as latin-1 text: what lowers a `list<u8>` takes both. */
  get(name: string): FieldValue[] {
    const found: FieldValue[] = [];
    const wanted = name.toLowerCase();
    this.unpack();
    for (let i = 0; i < this.names.length; i += 1) if (this.names[i] === wanted) found.push(this.values[i]!);
    return found;
  }

  /** All values as latin-1 text. */
  texts(name: string): string[] {
    this.unpack();
    const found: string[] = [];
    for (let i = 0; i < this.names.length; i += 1) if (this.names[i] === name) found.push(this.text(i));
    return found;
  }

  has(name: string): boolean {
    this.unpack();
    return this.names.includes(name.toLowerCase());
  }

  set(name: string, values: readonly Uint8Array[]): Failed | undefined {
    const lower = name.toLowerCase();
    const failed = this.refusal(name, lower) ?? (values.every(isValue) ? undefined : INVALID_SYNTAX);
    if (failed) return failed;
    const size = values.reduce((sum, value) => sum + name.length + value.length, 0);
    if (this.bytes - this.sizeOf(lower) + size > MAX_BYTES) return SIZE_EXCEEDED;
    this.remove(lower);
    this.charge(size + values.length * PIECE_BYTES);
    for (const value of values) this.push(lower, value);
    return undefined;
  }

  delete(name: string): Failed | undefined {
    const lower = name.toLowerCase();
    const failed = this.refusal(name, lower);
    if (failed) return failed;
    this.remove(lower);
    return undefined;
  }

  getAndDelete(name: string): FieldValue[] | Failed {
    const lower = name.toLowerCase();
    const failed = this.refusal(name, lower);
    if (failed) return failed;
    const values = this.get(lower);
    this.remove(lower);
    return values;
  }

  append(name: string, value: Uint8Array): Failed | undefined {
    const lower = name.toLowerCase();
    const failed = this.refusal(name, lower) ?? (isValue(value) ? undefined : INVALID_SYNTAX);
    if (failed) return failed;
    if (this.bytes + name.length + value.length > MAX_BYTES) return SIZE_EXCEEDED;
    this.charge(name.length + value.length + PIECE_BYTES);
    this.push(lower, value);
    return undefined;
  }

  entries(): readonly (readonly [string, FieldValue])[] {
    if (this.wire?.every(isOwn)) return this.wire;
    this.unpack();
    return this.names.map((name, i) => [name, this.values[i]!]);
  }

  /** A copy that may be changed. */
  clone(memory: HostMemory | null = null): Fields {
    this.unpack();
    const copy = new Fields(memory);
    copy.charge(this.bytes + this.names.length * PIECE_BYTES);
    copy.names = [...this.names];
    copy.values = [...this.values];
    copy.bytes = this.bytes;
    return copy;
  }

  freeze(): this {
    this.immutable = true;
    return this;
  }

  /** One more holds them, and will `drop` them. */
  share(): this {
    this.holders++;
    return this;
  }

  /** One of those who hold them does so no more. */
  drop(): void {
    if (--this.holders === 0) this.refund(this.chargedBytes);
  }

  /** For the wire, in order; a fresh list that the caller may extend. */
  toHeaders(): [string, string][] {
    this.unpack();
    return this.names.map((name, i) => [name, this.text(i)]);
  }

  /** The first value as latin-1 text; null: there is none. */
  first(lowerName: string): string | null {
    this.unpack();
    const at = this.names.indexOf(lowerName);
    return at < 0 ? null : this.text(at);
  }

  private refusal(name: string, lower: string): Failed | undefined {
    if (this.immutable) return IMMUTABLE;
    if (!TOKEN.test(name)) return INVALID_SYNTAX;
    return FORBIDDEN.has(lower) ? IS_FORBIDDEN : undefined;
  }

  /** Kept as text from then on: it is asked for several times. */
  private text(at: number): string {
    const value = this.values[at]!;
    return typeof value === 'string' ? value : (this.values[at] = asText(value));
  }

  private push(name: string, value: FieldValue): void {
    this.names.push(name);
    this.values.push(value);
    this.bytes += name.length + value.length;
  }

  private sizeOf(name: string): number {
    return this.names.reduce((sum, each, i) => (each === name ? sum + name.length + this.values[i]!.length : sum), 0);
  }

  private remove(name: string): void {
    const size = this.sizeOf(name);
    const kept = this.values.filter((_, i) => this.names[i] !== name);
    this.refund(size + (this.values.length - kept.length) * PIECE_BYTES);
    this.bytes -= size;
    this.names = this.names.filter((each) => each !== name);
    this.values = kept;
  }

  private charge(bytes: number): void {
    if (!this.memory) return;
    this.chargedBytes += bytes;
    this.memory.take(bytes);
  }

  private refund(bytes: number): void {
    this.chargedBytes -= bytes;
    this.memory?.give(bytes);
  }

  private unpack(): void {
    const { wire } = this;
    if (wire === null) return;
    this.wire = null;
    for (const [name, value] of wire) {
      const lower = name.toLowerCase();
      if (!FORBIDDEN.has(lower)) this.push(lower, value);
    }
  }
}

/** `content-length` as the fields declare it; null: not at all; undefined: it is no length, or two that differ (RFC 9112, section 6.3). */
export function declaredLength(fields: Fields): number | null | undefined {
  const texts = fields.texts('content-length');
  const first = texts[0];
  if (first === undefined) return null;
  if (texts.some((text) => text !== first) || !/^\d{1,15}$/.test(first)) return undefined;
  return Number(first);
}
