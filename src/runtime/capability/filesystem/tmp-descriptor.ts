import type { ByteSource, GuestState } from '../guest.js';
import type { OutputStream } from '../io/output-stream.js';
import { Descriptor, MAX_READ_BYTES, Refused, type DescriptorFlags, type DirectoryEntry, type FileFault, type FileKind, type NewTimestamp, type OpenFlags, type Stat } from './descriptor.js';
import { TmpOutput, TmpSource } from './tmp-streams.js';
import { TmpFile, tmpOf, TmpFolder, type TmpNode } from './tmp-tree.js';
import { pathFault, walk, type PathFault } from './tree.js';

const MAX_NAME_CHARS = 255;
const FOLDER_FLAGS: DescriptorFlags = {
  read: true, write: false, fileIntegritySync: false, dataIntegritySync: false, requestedWriteSync: false, mutateDirectory: true,
};

/** Where a name is, or is to be. */
interface Place {
  folder: TmpFolder;
  name: string;
  /** Written as a folder's: with a slash at its end. */
  asFolder: boolean;
}

/** The folder that a path's last name is in. A path that ends in no name of its own (`.`, `a/..`) is `invalid`. */
function locate(from: TmpFolder, path: string): Place | FileFault {
  const fault = pathFault(path);
  if (fault) return fault;
  const [, before, name, slashes] = /^(.*?)([^/]+)(\/*)$/.exec(path) ?? [];
  if (name === undefined || name === '.' || name === '..') return 'invalid';
  if (name.length > MAX_NAME_CHARS) return 'name-too-long';
  const folder = before === '' ? from : walk<TmpFile, TmpFolder>(from, before!);
  if (typeof folder === 'string') return folder;
  if (folder.kind === 'file') return 'not-directory';
  return folder.linked ? { folder, name, asFolder: slashes !== '' } : 'no-entry';
}

const toOffset = (offset: bigint): number | null => (offset > Number.MAX_SAFE_INTEGER ? null : Number(offset));

/**
 * A `descriptor` over an invocation's own /tmp. There are no links in it (`not-permitted`, as a file system without them says) and nothing
 * else of the machine; what is written elsewhere is refused.
 */
export class TmpDescriptor extends Descriptor {
  private isOpen: boolean;

  /** @param opened what it was opened with; null: it only says what lies at a path */
  constructor(private readonly state: GuestState, private readonly found: TmpNode | null, private readonly opened: DescriptorFlags | null) {
    super();
    this.isOpen = opened !== null;
    if (this.isOpen && found?.kind === 'file') found.opened();
  }

  /** The folder itself, whatever invocation its holder is at: guests take preopened folders once, and keep them. */
  static root(state: GuestState): TmpDescriptor {
    return new TmpDescriptor(state, null, FOLDER_FLAGS);
  }

  private get node(): TmpNode {
    return this.found ?? tmpOf(this.state).root;
  }

  get kind(): FileKind {
    return this.node.kind === 'file' ? 'regular-file' : 'directory';
  }

  flags(): DescriptorFlags {
    return this.node.kind === 'directory' ? FOLDER_FLAGS : { ...this.opened!, mutateDirectory: false };
  }

  stat(): Stat {
    const { node } = this;
    const { access, modification, change } = node.times;
    return {
      linkCount: 1n,
      size: node.kind === 'file' ? BigInt(node.bytes) : 0n,
      dataAccessTimestamp: access,
      dataModificationTimestamp: modification,
      statusChangeTimestamp: change,
    };
  }

  hash(): { lower: bigint; upper: bigint } {
    return { lower: this.node.id, upper: 0n };
  }

  isSame(other: Descriptor): boolean {
    return other instanceof TmpDescriptor && this.node === other.node;
  }

  read(length: bigint, offset: bigint): [Uint8Array, boolean] | Refused {
    const file = this.file('read');
    if (file instanceof Refused) return file;
    const start = offset > file.bytes ? file.bytes : Number(offset);
    const view = file.view(start, length > MAX_READ_BYTES ? MAX_READ_BYTES : Number(length));
    return [view, start + view.length >= file.bytes];
  }

  source(offset: bigint): ByteSource | Refused {
    const file = this.file('read');
    return file instanceof Refused ? file : new TmpSource(file, toOffset(offset) ?? Number.MAX_SAFE_INTEGER);
  }

  override write(bytes: Uint8Array, offset: bigint): bigint | Refused {
    const file = this.file('write');
    if (file instanceof Refused) return file;
    const at = toOffset(offset);
    if (at === null) return new Refused('file-too-large');
    if (!file.write(bytes, at)) return new Refused('insufficient-space');
    this.state.memory.check();
    return BigInt(bytes.length);
  }

  override sink(offset: bigint | null): OutputStream | Refused {
    const file = this.file('write');
    if (file instanceof Refused) return file;
    const at = offset === null ? null : toOffset(offset);
    return offset !== null && at === null ? new Refused('file-too-large') : new TmpOutput(file, at, this.state.memory);
  }

  override setSize(size: bigint): Refused | undefined {
    const file = this.file('write');
    if (file instanceof Refused) return file;
    const bytes = toOffset(size);
    if (bytes === null) return new Refused('file-too-large');
    if (!file.resize(bytes)) return new Refused('insufficient-space');
    this.state.memory.check();
    return undefined;
  }

  override setTimes(access: NewTimestamp, modification: NewTimestamp): undefined {
    this.node.setTimes(access, modification);
  }

  override setTimesAt(path: string, access: NewTimestamp, modification: NewTimestamp): Refused | undefined {
    const node = this.walk(path);
    if (typeof node === 'string') return new Refused(node);
    node.setTimes(access, modification);
    return undefined;
  }

  entries(): readonly DirectoryEntry[] | Refused {
    const folder = this.folder();
    if (folder instanceof Refused) return folder;
    return [...folder.children].map(([name, node]): DirectoryEntry => ({ type: node.kind === 'file' ? 'regular-file' : 'directory', name }));
  }

  at(path: string): Descriptor | Refused {
    const node = this.walk(path);
    return typeof node === 'string' ? new Refused(node) : new TmpDescriptor(this.state, node, null);
  }

  openAt(path: string, open: OpenFlags, flags: DescriptorFlags): Descriptor | Refused {
    if (open.directory && (open.create || open.truncate)) return new Refused('invalid');
    const node = this.walk(path);
    if (node === 'no-entry' && open.create) return this.create(path, flags);
    if (typeof node === 'string') return new Refused(node);
    if (open.create && open.exclusive) return new Refused('exist');
    if (node.kind === 'directory') return flags.write || open.truncate || open.create ? new Refused('is-directory') : new TmpDescriptor(this.state, node, FOLDER_FLAGS);
    if (open.directory) return new Refused('not-directory');
    if (open.truncate) node.resize(0);
    return new TmpDescriptor(this.state, node, flags.write ? flags : { ...flags, read: true });
  }

  readLink(path: string): Refused {
    const node = this.walk(path);
    return new Refused(typeof node === 'string' ? node : 'invalid');
  }

  override createDirectoryAt(path: string): Refused | undefined {
    if (typeof this.walk(path) !== 'string') return new Refused('exist');
    const place = this.place(path);
    if (place instanceof Refused) return place;
    return this.put(place, new TmpFolder(place.folder.tmp, place.folder));
  }

  override linkAt(): Refused {
    return new Refused('not-permitted');
  }

  override symlinkAt(): Refused {
    return new Refused('not-permitted');
  }

  override removeDirectoryAt(path: string): Refused | undefined {
    const place = this.existing(path);
    if (place instanceof Refused) return place;
    const node = place.folder.children.get(place.name)!;
    if (node.kind === 'file') return new Refused('not-directory');
    if (node.children.size > 0) return new Refused('not-empty');
    node.tmp.remove(place.folder, place.name);
    return undefined;
  }

  override unlinkFileAt(path: string): Refused | undefined {
    const place = this.existing(path);
    if (place instanceof Refused) return place;
    const node = place.folder.children.get(place.name)!;
    if (node.kind === 'directory') return new Refused('is-directory');
    node.tmp.remove(place.folder, place.name);
    return undefined;
  }

  override renameAt(path: string, to: Descriptor, newPath: string): Refused | undefined {
    const from = this.existing(path);
    if (from instanceof Refused) return from;
    const node = from.folder.children.get(from.name)!;
    if (!(to instanceof TmpDescriptor) || to.node.tmp !== node.tmp) return new Refused('cross-device');
    const place = to.place(newPath);
    if (place instanceof Refused) return place;
    const replaced = place.folder.children.get(place.name);
    if (replaced === node) return undefined;
    const fault = renameFault(node, place, replaced);
    if (fault) return new Refused(fault);
    return node.tmp.move(from.folder, from.name, place.folder, place.name) ? undefined : new Refused('insufficient-space');
  }

  override drop(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (this.found?.kind === 'file') this.found.closed();
  }

  private create(path: string, flags: DescriptorFlags): Descriptor | Refused {
    const place = this.place(path);
    if (place instanceof Refused) return place;
    if (place.asFolder) return new Refused('is-directory');
    const file = new TmpFile(place.folder.tmp);
    return this.put(place, file) ?? new TmpDescriptor(this.state, file, flags.write ? flags : { ...flags, read: true });
  }

  private put({ folder, name }: Place, node: TmpNode): Refused | undefined {
    if (!node.tmp.add(folder, name, node)) return new Refused('insufficient-space');
    this.state.memory.check();
    return undefined;
  }

  private walk(path: string): TmpNode | PathFault {
    const { node } = this;
    return node.kind === 'file' ? 'not-directory' : walk<TmpFile, TmpFolder>(node, path);
  }

  private place(path: string): Place | Refused {
    const folder = this.folder();
    if (folder instanceof Refused) return folder;
    const place = locate(folder, path);
    return typeof place === 'string' ? new Refused(place) : place;
  }

  /** Of something that is there. */
  private existing(path: string): Place | Refused {
    const place = this.place(path);
    if (place instanceof Refused) return place;
    const node = place.folder.children.get(place.name);
    if (!node) return new Refused('no-entry');
    return place.asFolder && node.kind === 'file' ? new Refused('not-directory') : place;
  }

  private folder(): TmpFolder | Refused {
    const { node } = this;
    return node.kind === 'file' ? new Refused('not-directory') : node;
  }

  private file(right: 'read' | 'write'): TmpFile | Refused {
    const { node } = this;
    if (node.kind === 'directory') return new Refused('is-directory');
    return this.opened?.[right] ? node : new Refused('bad-descriptor');
  }
}

/** As rename(2) has it. */
function renameFault(node: TmpNode, place: Place, replaced: TmpNode | undefined): FileFault | null {
  if (node.kind === 'file') {
    if (place.asFolder) return 'not-directory';
    return replaced?.kind === 'directory' ? 'is-directory' : null;
  }
  if (isWithin(place.folder, node)) return 'invalid';
  if (!replaced) return null;
  if (replaced.kind === 'file') return 'not-directory';
  return replaced.children.size > 0 ? 'not-empty' : null;
}

/** Whether a folder is another one, or lies somewhere in it. */
function isWithin(folder: TmpFolder, other: TmpFolder): boolean {
  for (let at: TmpFolder | null = folder; at; at = at.parent) if (at === other) return true;
  return false;
}
