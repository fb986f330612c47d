import { closeSync, openSync, readSync } from 'node:fs';
import { EOF, type ByteSource, type GuestState, type Invocation } from '../guest.js';
import { FileStream } from '../filesystem/file-stream.js';
import type { InputStream } from '../io/input-stream.js';
import { IoError } from '../io/io-error.js';
import { BlobError } from './blob-error.js';

/** Most that `incoming-value-consume-sync` hands over: it is in memory twice. */
const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** Each holds a file of the process open, so that the bytes stay whatever becomes of the object. */
const MAX_OPEN = 64;

const opened = new WeakMap<Invocation, { count: number }>();

function countOf(invocation: Invocation): { count: number } {
  let open = opened.get(invocation);
  if (!open) opened.set(invocation, (open = { count: 0 }));
  return open;
}

class ValueStream extends FileStream {
  constructor(private readonly value: IncomingValue) {
    super(value);
  }

  override drop(): void {
    super.drop();
    this.value.close();
  }
}

/** `incoming-value`: an object, or a part of it, as it was when it was asked for. */
export class IncomingValue implements ByteSource {
  onReadable: (() => void) | null = null;
  private fd: number | null;
  private readonly open: { count: number };

  /** @param end behind the last byte. Throws BlobError. */
  constructor(state: GuestState, path: string, private offset: number, private readonly end: number) {
    this.open = countOf(state.invocation);
    if (this.open.count >= MAX_OPEN) throw new BlobError(`an invocation may have ${MAX_OPEN} values open at a time`);
    this.fd = openSync(path, 'r');
    this.open.count++;
    state.defer(() => this.close());
  }

  get size(): bigint {
    return BigInt(this.end - this.offset);
  }

  read(max: number): Uint8Array | typeof EOF {
    const length = Math.min(max, CHUNK_BYTES, this.end - this.offset);
    if (length <= 0 || this.fd === null) return EOF;
    return this.take(length);
  }

  /** Throws BlobError when it is too much to be handed over at once. */
  whole(): Uint8Array {
    const length = this.end - this.offset;
    if (length > MAX_WHOLE_BYTES) throw new BlobError(`the value is longer than ${MAX_WHOLE_BYTES} bytes: read it as a stream`);
    try {
      return this.take(length);
    } finally {
      this.close();
    }
  }

  stream(): InputStream {
    return new ValueStream(this);
  }

  cancel(): void {
    this.close();
  }

  trailers(): null {
    return null;
  }

  close(): void {
    if (this.fd === null) return;
    closeSync(this.fd);
    this.fd = null;
    this.open.count--;
  }

  private take(length: number): Uint8Array {
    const buffer = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const count = readSync(this.fd!, buffer, filled, length - filled, this.offset + filled);
      if (count === 0) throw new IoError('the object is shorter than it was');
      filled += count;
    }
    this.offset += length;
    return buffer;
  }
}
