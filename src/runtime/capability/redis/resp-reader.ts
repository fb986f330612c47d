import { MAX_RESULT_BYTES } from './redis-fault.js';

/** `redis-result` of Spin's interfaces. */
export type RedisValue = { tag: 'nil' } | { tag: 'status'; val: string } | { tag: 'int64'; val: bigint } | { tag: 'binary'; val: Uint8Array };

/** One reply, nested lists laid flat as Spin's host does. */
export interface RedisReply {
  values: RedisValue[];
  /** The server's error, or what of the reply has no place in the interface; null: none. */
  error: string | null;
}

/** The peer does not speak RESP, or says more than anybody may: the connection is of no use any more. */
export class RespError extends Error {
  override name = 'RespError';
}

const NIL: RedisValue = { tag: 'nil' };
/** Of one value beside its bytes. */
const VALUE_BYTES = 32;
/** The longest line: an error, a number, a status. */
const MAX_LINE_BYTES = 64 * 1024;
const CR = 13;
const LF = 10;

/**
 * Reads the Redis protocol (RESP2, and RESP3 for a guest that says HELLO 3) as it arrives. A reply over the cap breaks it off while it is
 * read: the bytes beyond are never kept.
 */
export class RespReader {
  private chunks: Buffer[] = [];
  private length = 0;
  /** Bytes without which nothing can be read further. */
  private wanted = 1;
  /** Header of a text that is not whole yet. */
  private text: { kind: string; bytes: number } | null = null;
  private values: RedisValue[] = [];
  private error: string | null = null;
  /** Values that the reply at hand still lacks. */
  private missing = 1;
  private valueBytes = 0;

  constructor(private readonly onReply: (reply: RedisReply) => void, private readonly maxBytes: number = MAX_RESULT_BYTES) {}

  /** What is kept of a reply that is not whole yet. */
  get heldBytes(): number {
    return this.length + this.valueBytes;
  }

  /** Throws a RespError. */
  feed(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.length += chunk.length;
    if (this.heldBytes > this.maxBytes + MAX_LINE_BYTES) throw tooLarge(this.maxBytes);
    if (this.length < this.wanted) return;
    const buffer = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
    const rest = buffer.subarray(this.readAll(buffer));
    this.chunks = rest.length === 0 ? [] : [rest];
    this.length = rest.length;
  }

  /** Reads what is whole; gives how far it came. */
  private readAll(buffer: Buffer): number {
    let at = 0;
    for (;;) {
      if (this.text) {
        const { kind, bytes } = this.text;
        if (buffer.length - at < bytes + 2) {
          this.wanted = bytes + 2;
          return at;
        }
        if (buffer[at + bytes] !== CR || buffer[at + bytes + 1] !== LF) throw new RespError('a text does not end where it should');
        // a copy: the buffer may hold much else
        const value = Uint8Array.prototype.slice.call(buffer, at, at + bytes);
        at += bytes + 2;
        this.text = null;
        this.takeText(kind, value);
        continue;
      }
      const end = buffer.indexOf(LF, at);
      if (end < 0) {
        if (buffer.length - at > MAX_LINE_BYTES) throw new RespError('a line is too long');
        this.wanted = buffer.length - at + 1;
        return at;
      }
      if (end < at + 2 || buffer[end - 1] !== CR) throw new RespError('a line does not end as lines do');
      this.takeLine(String.fromCharCode(buffer[at]!), buffer.toString('utf8', at + 1, end - 1));
      at = end + 1;
    }
  }

  private takeLine(kind: string, line: string): void {
    switch (kind) {
      case '+': return this.take({ tag: 'status', val: line }, line.length);
      case '-': return this.fault(line);
      case ':': return this.take({ tag: 'int64', val: toInteger(line) });
      case '_': return this.take(NIL);
      case '#': return this.take({ tag: 'int64', val: line === 't' ? 1n : 0n });
      case ',':
      case '(': return this.take({ tag: 'binary', val: new TextEncoder().encode(line) }, line.length);
      case '$':
      case '=':
      case '!': return this.begin(kind, toCount(line));
      case '*':
      case '~': return this.open(toCount(line));
      case '%':
      case '|':
      case '>': return this.refuse(kind, toCount(line));
      default: throw new RespError('a reply is of no known type');
    }
  }

  private begin(kind: string, bytes: number): void {
    if (bytes < 0) return this.take(NIL);
    if (this.valueBytes + bytes > this.maxBytes) throw tooLarge(this.maxBytes);
    this.text = { kind, bytes };
  }

  private takeText(kind: string, value: Uint8Array): void {
    if (kind === '$') return this.take({ tag: 'binary', val: value }, value.length);
    this.fault(kind === '!' ? Buffer.from(value).toString() : 'Redis string with format attribute is not supported');
  }

  private open(count: number): void {
    if (count < 0) return this.take(NIL);
    this.missing += count - 1;
    this.finishWhenWhole();
  }

  private refuse(kind: string, count: number): void {
    const what = kind === '%' ? 'Redis Map type' : kind === '|' ? 'Redis Attribute type' : 'Redis Pub/Sub types';
    this.error ??= `${what} ${kind === '>' ? 'are' : 'is'} not supported`;
    // an attribute stands before the value that it belongs to
    this.missing += kind === '>' ? count - 1 : kind === '%' ? 2 * count - 1 : 2 * count;
    this.finishWhenWhole();
  }

  private take(value: RedisValue, bytes = 0): void {
    this.valueBytes += bytes + VALUE_BYTES;
    if (this.valueBytes > this.maxBytes) throw tooLarge(this.maxBytes);
    this.values.push(value);
    this.missing--;
    this.finishWhenWhole();
  }

  private fault(message: string): void {
    this.error ??= message;
    this.missing--;
    this.finishWhenWhole();
  }

  private finishWhenWhole(): void {
    if (this.missing > 0) return;
    const reply = { values: this.values, error: this.error };
    this.values = [];
    this.error = null;
    this.missing = 1;
    this.valueBytes = 0;
    this.wanted = 1;
    this.onReply(reply);
  }
}

function tooLarge(maxBytes: number): RespError {
  return new RespError(`query result exceeds limit of ${maxBytes} bytes`);
}

function toInteger(line: string): bigint {
  if (!/^[+-]?\d{1,19}$/.test(line)) throw new RespError('a number is none');
  return BigInt.asIntN(64, BigInt(line.replace(/^\+/, '')));
}

/** -1: there is nothing (RESP2's null). */
function toCount(line: string): number {
  if (!/^(-1|\d{1,12})$/.test(line)) throw new RespError('a length is none');
  return Number(line);
}
