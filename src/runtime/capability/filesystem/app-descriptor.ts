import type { ByteSource, GuestState } from '../guest.js';
import { Descriptor, MAX_READ_BYTES, Refused, type DescriptorFlags, type DirectoryEntry, type OpenFlags, type Stat } from './descriptor.js';
import { FileSource, OpenFile } from './open-file.js';
import { metadataHash, walk, type DirectoryNode, type FileNode, type PathFault, type TreeNode } from './tree.js';

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

/** A `descriptor` over the app's files. They are read-only: whatever would change something is refused with `read-only`. */
export class AppDescriptor extends Descriptor {
  private file: OpenFile | null = null;

  constructor(private readonly state: GuestState, private readonly node: TreeNode) {
    super();
  }

  get kind(): 'directory' | 'regular-file' {
    return this.node.kind === 'file' ? 'regular-file' : 'directory';
  }

  flags(): DescriptorFlags {
    return { read: true, write: false, fileIntegritySync: false, dataIntegritySync: false, requestedWriteSync: false, mutateDirectory: false };
  }

  /** Content-addressed files have no times. */
  stat(): Stat {
    return { linkCount: 1n, size: this.node.kind === 'file' ? BigInt(this.node.bytes) : 0n };
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
    return new AppDescriptor(this.state, node);
  }

  /** What lies at a path, for `stat-at` and `metadata-hash-at`. */
  at(path: string): Descriptor | Refused {
    const node = this.resolve(path);
    return typeof node === 'string' ? new Refused(node) : new AppDescriptor(this.state, node);
  }

  isSame(other: Descriptor): boolean {
    return other instanceof AppDescriptor && this.node === other.node;
  }

  /** There are no links: whatever exists is none. */
  readLink(path: string): Refused {
    const node = this.resolve(path);
    return new Refused(typeof node === 'string' ? node : 'invalid');
  }

  private resolve(path: string): TreeNode | PathFault {
    return this.node.kind === 'file' ? 'not-directory' : walk<FileNode, DirectoryNode>(this.node as DirectoryNode, path);
  }

  private openFile(node: FileNode): OpenFile {
    return (this.file ??= new OpenFile(this.state, node));
  }
}
