import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { GuestGrant } from '../guest.js';
import { BlobError } from './blob-error.js';
import { BlobIndex, type BlobEntry, type ObjectId } from './blob-index.js';

/** What was being written when its process died is in the way until then. */
const STALE_MS = 3_600_000;
/** Apps whose stores are open in this process; the one opened first makes room. */
const MAX_OPEN = 64;

/**
 * The objects of one app on this node: an index, and one file for each object, under names of our own.
 *
 *   blobstore/
 *   ├── index.sqlite
 *   ├── data/<random>        whole objects; never written again
 *   └── incoming/<random>    what is being written
 */
export class BlobStore {
  private opened: BlobIndex | null = null;
  /** Being written by this process. */
  pendingBytes = 0;

  constructor(private readonly dir: string) {
    mkdirSync(join(dir, 'data'), { recursive: true });
    mkdirSync(join(dir, 'incoming'), { recursive: true });
    this.removeStale();
  }

  /** Opened when it is needed: whoever holds a store may use it after it made room for another. */
  get index(): BlobIndex {
    return (this.opened ??= new BlobIndex(join(this.dir, 'index.sqlite')));
  }

  newFile(): string {
    return randomBytes(16).toString('hex');
  }

  incomingPath(file: string): string {
    return join(this.dir, 'incoming', file);
  }

  dataPath({ file }: Pick<BlobEntry, 'file'>): string {
    return join(this.dir, 'data', file);
  }

  /** Takes what was written as an object, in place of what has its name. */
  commit(id: ObjectId, file: string, bytes: number, maxBytes: number): void {
    renameSync(this.incomingPath(file), this.dataPath({ file }));
    this.putOrForget(id, file, bytes, maxBytes);
  }

  copy(from: ObjectId, to: ObjectId, maxBytes: number): void {
    const entry = this.mustFind(from);
    const file = this.newFile();
    linkSync(this.dataPath(entry), this.dataPath({ file }));
    this.putOrForget(to, file, entry.bytes, maxBytes);
  }

  move(from: ObjectId, to: ObjectId, maxBytes: number): void {
    this.forget(this.index.move(from, to, maxBytes));
  }

  mustFind({ container, object }: ObjectId): BlobEntry {
    const entry = this.index.find(container, object);
    if (!entry) throw new BlobError('there is no such object');
    return entry;
  }

  /** Removes files. Who has one open can read it to its end. */
  forget(files: readonly string[]): void {
    for (const file of files) rmSync(this.dataPath({ file }), { force: true });
  }

  close(): void {
    this.opened?.close();
    this.opened = null;
  }

  private putOrForget(id: ObjectId, file: string, bytes: number, maxBytes: number): void {
    try {
      this.forget(this.index.put(id, file, bytes, maxBytes));
    } catch (error) {
      this.forget([file]);
      throw error;
    }
  }

  private removeStale(): void {
    const before = Date.now() - STALE_MS;
    for (const file of readdirSync(join(this.dir, 'incoming'))) {
      const path = this.incomingPath(file);
      const found = statSync(path, { throwIfNoEntry: false });
      if (found && found.mtimeMs < before) rmSync(path, { force: true });
    }
  }
}

const open = new Map<string, BlobStore>();

/** The store of a guest's app. Throws BlobError when the operator allows none. */
export function blobStoreOf({ settings, stateDir }: GuestGrant): BlobStore {
  if (settings.blobstoreBytes === 0) throw new BlobError('access denied: the operator allows no blobstore (WHORL_BLOBSTORE_BYTES)');
  let store = open.get(stateDir);
  if (store) return store;
  const [oldest] = open;
  if (open.size >= MAX_OPEN) {
    open.delete(oldest![0]);
    oldest![1].close();
  }
  open.set(stateDir, (store = new BlobStore(join(stateDir, 'blobstore'))));
  return store;
}

/** Closes every store of this process, for a clean end. */
export function closeBlobStores(): void {
  for (const store of open.values()) store.close();
  open.clear();
}
