import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { type FileHandle, access, constants, link, mkdir, open, readFile, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { type BlobStat, BlobStorage } from './blob-storage.js';
import { sweepLeftovers, unfinishedName } from './leftovers.js';
import { BLOBS_PATH, PARTIAL_PATH, blobPath, digestOfPath, recordPath } from './paths.js';
import { verify } from './verify.js';

/** Bytes in a folder. A write is a partial file, synced, then linked to its name: it survives a loss of power, and the first one wins. */
export class FolderStorage extends BlobStorage {
  private constructor(private readonly root: string) {
    super();
  }

  /** Makes the folder and removes what a crash left. Throws REGISTRY_STORAGE_UNAVAILABLE when it cannot be written to. */
  static async open(root: string): Promise<FolderStorage> {
    const storage = new FolderStorage(root);
    await storage.attempt(async () => {
      await mkdir(join(root, BLOBS_PATH), { recursive: true });
      await mkdir(join(root, PARTIAL_PATH), { recursive: true });
      await sweepLeftovers(join(root, PARTIAL_PATH), Date.now());
    });
    return storage;
  }

  async put(blob: BlobStat, content: () => AsyncIterable<Uint8Array>): Promise<void> {
    if (await this.find(blob.digest)) return;
    await this.write(blobPath(blob.digest), verify(blob, content()));
  }

  async get(digest: Digest): Promise<{ bytes: number; content: Readable }> {
    const found = await this.find(digest);
    const content = found && (await this.attempt(() => missingAsUndefined(openStream(join(this.root, blobPath(digest))))));
    if (!content) throw new WhorlError('REGISTRY_BLOB_UNKNOWN', `there is no blob ${digest}`);
    return { bytes: found.bytes, content };
  }

  async find(digest: Digest): Promise<BlobStat | undefined> {
    const found = await this.attempt(() => missingAsUndefined(stat(join(this.root, blobPath(digest)))));
    return found && { digest, bytes: found.size };
  }

  async delete(digest: Digest): Promise<void> {
    await this.attempt(() => rm(join(this.root, blobPath(digest)), { force: true }));
  }

  async *list(prefix: string): AsyncGenerator<BlobStat> {
    const shards = await this.attempt(() => readdir(join(this.root, BLOBS_PATH)));
    for (const shard of shards.filter((name) => name.startsWith(prefix.slice(0, 2)))) {
      for (const name of await this.attempt(() => readdir(join(this.root, BLOBS_PATH, shard)))) {
        const digest = name.startsWith(prefix) ? digestOfPath(name) : undefined;
        const found = digest && (await this.find(digest));
        if (found) yield found;
      }
    }
  }

  async putRecord(name: string, text: string): Promise<void> {
    const path = recordPath(name);
    async function* content() {
      yield Buffer.from(text);
    }
    await this.write(path, content());
  }

  async findRecord(name: string): Promise<string | undefined> {
    return this.attempt(() => missingAsUndefined(readFile(join(this.root, recordPath(name)), 'utf8')));
  }

  async deleteRecord(name: string): Promise<void> {
    await this.attempt(() => rm(join(this.root, recordPath(name)), { force: true }));
  }

  async check(): Promise<void> {
    await this.attempt(() => access(join(this.root, PARTIAL_PATH), constants.W_OK));
  }

  private async write(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const partial = join(this.root, PARTIAL_PATH, unfinishedName());
    const target = join(this.root, path);
    await this.attempt(async () => {
      try {
        await writeSynced(partial, content);
        await mkdir(dirname(target), { recursive: true });
        await link(partial, target).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error;
        });
        await syncFolder(dirname(target));
      } finally {
        await rm(partial, { force: true });
      }
    });
  }

  private async attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      if (cause instanceof WhorlError) throw cause;
      throw new WhorlError('REGISTRY_STORAGE_UNAVAILABLE', `the artifact folder cannot be used: ${(cause as Error).message}`, { cause });
    }
  }
}

async function writeSynced(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  await using file: FileHandle = await open(path, 'wx');
  for await (const chunk of content) await file.writeFile(chunk);
  await file.sync();
}

/** A new name is on the disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  await using folder: FileHandle = await open(path, 'r');
  await folder.sync();
}

/** Rejects when the file cannot be opened, instead of failing at the first read. */
async function openStream(path: string): Promise<Readable> {
  const stream = createReadStream(path, { highWaterMark: 256 * 1024 });
  await once(stream, 'open');
  return stream;
}

async function missingAsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
