import type { Err } from '#engine/run/host.js';
import { EOF, type ByteSource } from '../guest.js';
import { PIECE_BYTES, type HostMemory } from '../host-memory.js';
import { Pollable } from '../wait.js';
import { CLOSED, lastOperationFailed, type StreamError } from './io-error.js';

const NOTHING = new Uint8Array(0);
/** Most that one read hands over, so that a guest that asks for 4 GiB costs no more than it can take. */
const MAX_READ_BYTES = 1024 * 1024;
const READ_AHEAD_BYTES = 64 * 1024;

/** A `wasi:io/streams.input-stream` over any byte source. */
export class InputStream extends Pollable {
  /** Taken from the source to learn whether it is ready; EOF and failures stay here for good. */
  private ahead: Uint8Array | typeof EOF | Err<StreamError> | null = null;

  private chargedBytes = 0;

  /** @param memory the account for what is read ahead; null: the guest has one such stream */
  constructor(protected readonly source: ByteSource, private readonly memory: HostMemory | null = null) {
    super();
  }

  ready(): boolean {
    if (this.ahead === null) {
      this.ahead = this.pull(READ_AHEAD_BYTES);
      this.charge();
    }
    return this.ahead !== null;
  }

  /** Bytes, none when nothing is there now, or a stream error. */
  read(len: bigint): Uint8Array | Err<StreamError> {
    const max = len > MAX_READ_BYTES ? MAX_READ_BYTES : Number(len);
    const chunk = this.ahead ?? (max === 0 ? null : this.pull(max));
    this.ahead = null;
    this.charge();
    if (chunk === null) return NOTHING;
    if (chunk === EOF) {
      this.ahead = EOF;
      return CLOSED;
    }
    if (!(chunk instanceof Uint8Array)) {
      this.ahead = EOF;
      return chunk;
    }
    if (chunk.length <= max) return chunk;
    this.ahead = chunk.subarray(max);
    this.charge();
    return chunk.subarray(0, max);
  }

  drop(): void {
    this.forget();
  }

  protected forget(): void {
    this.ahead = null;
    this.charge();
  }

  /** Tells the account how much is read ahead now. */
  private charge(): void {
    if (!this.memory) return;
    const bytes = this.ahead instanceof Uint8Array ? this.ahead.length + PIECE_BYTES : 0;
    this.memory.add(bytes - this.chargedBytes);
    this.chargedBytes = bytes;
  }

  protected override watch(): void {
    this.source.onReadable = () => this.wake();
  }

  protected override unwatch(): void {
    this.source.onReadable = null;
  }

  private pull(max: number): Uint8Array | typeof EOF | Err<StreamError> | null {
    try {
      return this.source.read(max);
    } catch (error) {
      return lastOperationFailed(error);
    }
  }
}
