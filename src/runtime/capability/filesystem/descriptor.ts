import { closeSync, openSync, readSync } from 'node:fs';
import { EOF, type ByteSource, type GuestState } from '../guest.js';
import { InputStream } from '../io/input-stream.js';
import { IoError } from '../io/io-error.js';
import { metadataHash, walk, type DirectoryNode, type FileNode, type PathFault, type TreeNode } from './tree.js';

export type FileFault = PathFault | 'read-only' | 'exist' | 'is-directory' | 'bad-descriptor' | 'io' | 'unsupported' | 'invalid';

/** A refusal, told apart from every value by its class. */
export class Refused {
  constructor(readonly fault: FileFault) {}
}

export interface OpenFlags {
  create: boolean;
  directory: boolean;
  exclusive: boolean;
  truncate: boolean;
}

export interface DescriptorFlags {
  read: boolean;
  write: boolean;
  fileIntegritySync: boolean;
  dataIntegritySync: boolean;
  requestedWriteSync: boolean;
  mutateDirectory: boolean;
}

/** Most that one `read` hands over. */
const MAX_READ_BYTES = 16 * 1024 * 1024;
const STREAM_CHUNK_BYTES = 64 * 1024;

/** Files that one guest has open in this process at a time; the one opened first is closed for another, and opened again when it is read. */
const MAX_OPEN = 16;
const openFiles = new WeakMap<GuestState, Set<OpenFile>>();

/** An open file of this machine, shared by a descriptor and the streams made of it; closed at the latest when the slot is reset. */
class OpenFile {
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

/** Always has something to give: nothing is read ahead for those who ask. */
export class FileStream extends InputStream {
  override ready(): boolean {
    return true;
  }
}

/** A file from an offset to its end, as a byte source. */
class FileSource implements ByteSource {
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

export interface DirectoryEntry {
  type: 'directory' | 'regular-file';
  name: string;
}

const listings = new WeakMap<DirectoryNode, readonly DirectoryEntry[]>();

/** One list for all who read the directory: there may be many who do, and nothing in it changes. */
function entriesOf(directory: DirectoryNode): readonly DirectoryEntry[] {
  let entries = listings.get(directory);
  if (!entries) {
    entries = [...directory.children].map(([name, node]): DirectoryEntry => ({ type: node.kind === 'file' ? 'regular-file' : 'directory', name }));
    listings.set(directory, entries);
  }
  return entries;
}

/**
 * A `descriptor` of wasi:filesystem over the app's files. They are read-only: whatever would change something is refused with
 * `read-only`. One implementation for 0.2 and 0.3.
 */
export class Descriptor {
  private file: OpenFile | null = null;

  constructor(private readonly state: GuestState, readonly node: TreeNode) {}

  get kind(): 'directory' | 'regular-file' {
    return this.node.kind === 'file' ? 'regular-file' : 'directory';
  }

  flags(): DescriptorFlags {
    return { read: true, write: false, fileIntegritySync: false, dataIntegritySync: false, requestedWriteSync: false, mutateDirectory: false };
  }

  /** Content-addressed files have no times. */
  stat(): { type: 'directory' | 'regular-file'; linkCount: bigint; size: bigint } {
    return { type: this.kind, linkCount: 1n, size: this.node.kind === 'file' ? BigInt(this.node.bytes) : 0n };
  }

  hash(): { lower: bigint; upper: bigint } {
    return metadataHash(this.node);
  }

  /** The bytes, and whether the end of the file is reached. */
  read(length: bigint, offset: bigint): [Uint8Array, boolean] | Refused {
    const { node } = this;
    if (node.kind !== 'file') return new Refused('is-directory');
    const max = length > MAX_READ_BYTES ? MAX_READ_BYTES : Number(length);
    const start = offset > node.bytes ? node.bytes : Number(offset);
    try {
      const bytes = this.openFile(node).read(max, start);
      return [bytes, start + bytes.length >= node.bytes];
    } catch {
      return new Refused('io');
    }
  }

  source(offset: bigint): ByteSource | Refused {
    const { node } = this;
    if (node.kind !== 'file') return new Refused('is-directory');
    return new FileSource(this.openFile(node), offset > node.bytes ? node.bytes : Number(offset));
  }

  entries(): readonly DirectoryEntry[] | Refused {
    return this.node.kind === 'file' ? new Refused('not-directory') : entriesOf(this.node as DirectoryNode);
  }

  openAt(path: string, open: OpenFlags, flags: DescriptorFlags): Descriptor | Refused {
    const node = this.resolve(path);
    if (typeof node === 'string') return new Refused(node === 'no-entry' && open.create ? 'read-only' : node);
    if (open.create && open.exclusive) return new Refused('exist');
    if (open.directory && node.kind === 'file') return new Refused('not-directory');
    if (open.truncate || flags.write || flags.mutateDirectory) return new Refused('read-only');
    return new Descriptor(this.state, node);
  }

  /** What lies at a path, for `stat-at` and `metadata-hash-at`. */
  at(path: string): Descriptor | Refused {
    const node = this.resolve(path);
    return typeof node === 'string' ? new Refused(node) : new Descriptor(this.state, node);
  }

  isSame(other: Descriptor): boolean {
    return this.node === other.node;
  }

  /** There are no links: whatever exists is none. */
  readLink(path: string): Refused {
    const node = this.resolve(path);
    return new Refused(typeof node === 'string' ? node : 'invalid');
  }

  private resolve(path: string): TreeNode | PathFault {
    return this.node.kind === 'file' ? 'not-directory' : walk(this.node as DirectoryNode, path);
  }

  private openFile(node: FileNode): OpenFile {
    return (this.file ??= new OpenFile(this.state, node));
  }
}
