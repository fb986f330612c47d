import { closeSync, openSync, readSync } from 'node:fs';
import { EOF, type ByteSource, type GuestState } from '../guest.js';
import { IoError } from '../io/io-error.js';
import type { FileNode } from './tree.js';

const STREAM_CHUNK_BYTES = 64 * 1024;

/** Files that one guest has open in this process at a time; the one opened first is closed for another, and opened again when it is read. */
const MAX_OPEN = 16;
const openFiles = new WeakMap<GuestState, Set<OpenFile>>();

/** An open file of this machine, shared by a descriptor and the streams made of it; closed at the latest when the slot is reset. */
export class OpenFile {
  private fd: number | null = null;

  constructor(private readonly state: GuestState, private readonly node: FileNode) {}

  /** Fewer bytes than asked for only at the end of the file. Throws IoError. */
  read(length: number, offset: number): Uint8Array {
    if (offset >= this.node.bytes) return new Uint8Array(0);
    const buffer = Buffer.allocUnsafeSlow(Math.min(length, this.node.bytes - offset));
    try {
      let filled = 0;
      while (filled < buffer.length) {
        const count = readSync(this.open(), buffer, filled, buffer.length - filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
      return filled === buffer.length ? buffer : buffer.subarray(0, filled);
    } catch (error) {
      // The message of the error names a path of this machine: the guest gets the code alone.
      throw new IoError(`cannot read ${this.node.path}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`, null, 'io');
    }
  }

  private open(): number {
    if (this.fd === null) {
      const open = this.others();
      if (open.size >= MAX_OPEN) {
        const [oldest] = open;
        open.delete(oldest!);
        oldest!.close();
      }
      this.fd = openSync(this.node.localPath, 'r');
      open.add(this);
    }
    return this.fd;
  }

  /** Those that the guest has open; all are closed when its slot is reset. */
  private others(): Set<OpenFile> {
    let open = openFiles.get(this.state);
    if (!open) openFiles.set(this.state, (open = new Set()));
    if (open.size === 0) {
      const all = open;
      this.state.defer(() => {
        for (const file of all) file.close();
        all.clear();
      });
    }
    return open;
  }

  private close(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }
}

/** A file from an offset to its end, as a byte source. */
export class FileSource implements ByteSource {
  onReadable: (() => void) | null = null;

  constructor(private readonly file: OpenFile, private offset: number) {}

  read(max: number): Uint8Array | typeof EOF {
    const chunk = this.file.read(Math.min(max, STREAM_CHUNK_BYTES), this.offset);
    if (chunk.length === 0) return EOF;
    this.offset += chunk.length;
    return chunk;
  }

  cancel(): void {}

  trailers(): null {
    return null;
  }
}
