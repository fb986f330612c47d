import { once } from 'node:events';
import { type Stats, createReadStream } from 'node:fs';
import { type FileHandle, access, constants, link, mkdir, open, readdir, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { WhorlError } from '#contract/errors.js';
import { sweepLeftovers, unfinishedName } from './leftovers.js';
import { PARTIAL_PATH, UPLOADS_PATH } from './paths.js';
import { type ByteRange, StorageDriver, type StoredObject, type StoredPart } from './storage-driver.js';
import { WatchedContent } from './watched-content.js';

/** Of each read ahead; a client waits for as many of them as there are. */
const READ_BYTES = 1024 * 1024;
/** The same, of what is copied here: it may take longer, and not much memory. */
const COPY_BYTES = 256 * 1024;

/**
 * Objects as files. A write is a partial file, synced, then linked to its name: it survives a loss of power, and the first one wins. What a
 * dead process was writing is swept when the next one starts.
 */
export class FolderDriver extends StorageDriver {
  /** A file grows without being held in memory. */
  readonly partBytes = Infinity;

  private constructor(private readonly root: string) {
    super();
  }

  /** Makes the folder and removes what a crash left. Throws REGISTRY_STORAGE_UNAVAILABLE when it cannot be written to. */
  static async open(root: string): Promise<FolderDriver> {
    const driver = new FolderDriver(root);
    await attempt(() => mkdir(join(root, PARTIAL_PATH), { recursive: true }));
    await driver.sweepUnfinished(true);
    return driver;
  }

  async create(key: string, content: AsyncIterable<Uint8Array>): Promise<StoredPart | undefined> {
    if (await this.find(key)) return undefined;
    const source = new WatchedContent(content);
    return attempt(() => this.write(key, source)).catch((error: unknown) => {
      throw source.failure ?? error;
    });
  }

  async compose(key: string, parts: readonly StoredPart[]): Promise<void> {
    const [only] = parts;
    if (only && parts.length === 1) {
      await attempt(async () => {
        await this.checkPart(only);
        // The object has the file's time, and may not look old.
        await this.touch(only.key);
        await this.publish(this.path(only.key), key);
      });
    } else {
      await this.create(key, this.joined(parts));
    }
  }

  async read(key: string, range?: ByteRange): Promise<{ bytes: number; content: Readable } | undefined> {
    return attempt(() => missingAsUndefined(this.open(key, range)));
  }

  async find(key: string): Promise<StoredObject | undefined> {
    const found = await attempt(() => missingAsUndefined(stat(this.path(key))));
    return found?.isFile() ? { key, bytes: found.size, tag: tagOf(found), modifiedMs: found.mtimeMs } : undefined;
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const entries = (await attempt(() => missingAsUndefined(readdir(this.path(folder), { withFileTypes: true })))) ?? [];
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const key = folder + entry.name;
      if (!key.startsWith(prefix)) continue;
      if (entry.isDirectory()) {
        yield* this.list(`${key}/`);
      } else {
        const found = await this.find(key);
        if (found) yield found;
      }
    }
  }

  async touch(key: string): Promise<boolean> {
    const now = new Date();
    return (await attempt(() => missingAsUndefined(utimes(this.path(key), now, now).then(() => true)))) ?? false;
  }

  async delete(key: string): Promise<void> {
    await attempt(async () => {
      await rm(this.path(key), { force: true });
      // Folders of uploads would be left behind for ever; one that is not empty stays.
      await rmdir(dirname(this.path(key))).catch(() => {});
    });
  }

  async presign(): Promise<undefined> {}

  async sweep(): Promise<number> {
    return this.sweepUnfinished(false);
  }

  async check(): Promise<void> {
    await attempt(() => access(join(this.root, PARTIAL_PATH), constants.W_OK));
  }

  private async sweepUnfinished(atStart: boolean): Promise<number> {
    return attempt(async () => {
      // Made for a first part that never came. Whoever is just about to link one makes it once more.
      for (const upload of (await missingAsUndefined(readdir(this.path(UPLOADS_PATH)))) ?? []) await rmdir(this.path(`${UPLOADS_PATH}/${upload}`)).catch(() => {});
      return sweepLeftovers(join(this.root, PARTIAL_PATH), Date.now(), atStart);
    });
  }

  private path(key: string): string {
    return join(this.root, key);
  }

  private async write(key: string, content: AsyncIterable<Uint8Array>): Promise<StoredPart | undefined> {
    const partial = join(this.root, PARTIAL_PATH, unfinishedName());
    try {
      await writeSynced(partial, content);
      const written = await stat(partial);
      return (await this.publish(partial, key)) ? { key, bytes: written.size, tag: tagOf(written) } : undefined;
    } finally {
      await rm(partial, { force: true });
    }
  }

  /** Whether the file has got the name; false when another one has it. */
  private async publish(file: string, key: string): Promise<boolean> {
    const target = this.path(key);
    for (;;) {
      try {
        const made = await mkdir(dirname(target), { recursive: true });
        await link(file, target);
        await syncFolders(dirname(target), made);
        return true;
      } catch (error) {
        if (isCode(error, 'EEXIST')) return false;
        // A folder was empty and removed meanwhile.
        if (isCode(error, 'ENOENT') && (await missingAsUndefined(stat(file)))) continue;
        throw error;
      }
    }
  }

  private async checkPart({ key, tag }: StoredPart): Promise<void> {
    if ((await this.find(key))?.tag !== tag) throw new WhorlError('REGISTRY_UPLOAD_CONFLICT', `${key} is not what it was`);
  }

  private async *joined(parts: readonly StoredPart[]): AsyncGenerator<Uint8Array> {
    for (const part of parts) {
      await this.checkPart(part);
      yield* createReadStream(this.path(part.key), { highWaterMark: COPY_BYTES });
    }
  }

  /** Rejects when the file cannot be opened, instead of failing at the first read. */
  private async open(key: string, { offset, bytes }: ByteRange = { offset: 0 }): Promise<{ bytes: number; content: Readable }> {
    const { size } = await stat(this.path(key));
    const end = Math.min(size, offset + (bytes ?? size));
    if (end <= offset) return { bytes: size, content: Readable.from([]) };
    const content = createReadStream(this.path(key), { highWaterMark: READ_BYTES, start: offset, end: end - 1 });
    await once(content, 'open');
    return { bytes: size, content };
  }
}

async function writeSynced(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  await using file: FileHandle = await open(path, 'wx');
  for await (const chunk of content) await file.writeFile(chunk);
  await file.sync();
}

/** A new name is on the disk only when its folder is, and so on up to the first folder that was there before `made`. */
async function syncFolders(folder: string, made: string | undefined): Promise<void> {
  const last = made === undefined ? folder : dirname(made);
  for (let path = folder; ; path = dirname(path)) {
    await using handle: FileHandle = await open(path, 'r');
    await handle.sync();
    if (path === last) return;
  }
}

/** The number of a file that was deleted is soon that of another one. */
const tagOf = ({ ino, birthtimeMs }: Stats): string => `${ino}-${birthtimeMs}`;

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;

async function missingAsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function attempt<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof WhorlError) throw cause;
    throw new WhorlError('REGISTRY_STORAGE_UNAVAILABLE', `the artifact folder cannot be used: ${(cause as Error).message}`, { cause });
  }
}
