import type { Err } from '#engine/run/host.js';
import { EOF, type ByteSource } from '../guest.js';
import type { HostMemory } from '../host-memory.js';
import { IoError, lastOperationFailed, type StreamError } from '../io/io-error.js';
import { NO_MORE, OutputStream, WRITE_PERMIT_BYTES } from '../io/output-stream.js';
import { MAX_READ_BYTES } from './descriptor.js';
import type { TmpFile } from './tmp-tree.js';

/** From an offset to the end of the file, as it is at each read. */
export class TmpSource implements ByteSource {
  onReadable: (() => void) | null = null;

  constructor(private readonly file: TmpFile, private offset: number) {}

  read(max: number): Uint8Array | typeof EOF {
    const view = this.file.view(this.offset, Math.min(max, MAX_READ_BYTES));
    if (view.length === 0) return EOF;
    this.offset += view.length;
    return Uint8Array.prototype.slice.call(view);
  }

  cancel(): void {}

  trailers(): null {
    return null;
  }
}

/** Writes to a file of /tmp from an offset on. */
export class TmpOutput extends OutputStream {
  private failed = false;

  /** @param offset null: always at the end */
  constructor(private readonly file: TmpFile, private offset: number | null, private readonly memory: HostMemory) {
    super();
  }

  permit(): number {
    return this.failed ? NO_MORE : WRITE_PERMIT_BYTES;
  }

  put(chunk: Uint8Array): Err<StreamError> | undefined {
    const at = this.offset ?? this.file.bytes;
    this.failed = !this.file.write(chunk, at);
    this.memory.check();
    if (this.failed) return lastOperationFailed(new IoError('there is no room in /tmp', null, 'insufficient-space'));
    if (this.offset !== null) this.offset = at + chunk.length;
    return undefined;
  }
}
