import { Readable } from 'node:stream';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { type BlobStat, BlobStorage } from './blob-storage.js';
import { blobPath, recordPath } from './paths.js';
import { verify } from './verify.js';

/** Bytes in memory, for tests that are about something else. */
export class MemoryStorage extends BlobStorage {
  private readonly blobs = new Map<Digest, Buffer>();
  private readonly records = new Map<string, string>();

  async put(blob: BlobStat, content: () => AsyncIterable<Uint8Array>): Promise<void> {
    blobPath(blob.digest);
    if (this.blobs.has(blob.digest)) return;
    const chunks: Uint8Array[] = [];
    for await (const chunk of verify(blob, content())) chunks.push(chunk);
    this.blobs.set(blob.digest, Buffer.concat(chunks));
  }

  async get(digest: Digest): Promise<{ bytes: number; content: Readable }> {
    const blob = this.blobs.get(digest);
    if (!blob) throw new WhorlError('REGISTRY_BLOB_UNKNOWN', `there is no blob ${digest}`);
    return { bytes: blob.length, content: Readable.from([blob], { objectMode: false }) };
  }

  async find(digest: Digest): Promise<BlobStat | undefined> {
    const blob = this.blobs.get(digest);
    return blob && { digest, bytes: blob.length };
  }

  async delete(digest: Digest): Promise<void> {
    this.blobs.delete(digest);
  }

  async *list(prefix: string): AsyncGenerator<BlobStat> {
    for (const [digest, blob] of this.blobs) if (digest.startsWith(`sha256:${prefix}`)) yield { digest, bytes: blob.length };
  }

  async putRecord(name: string, text: string): Promise<void> {
    const path = recordPath(name);
    if (!this.records.has(path)) this.records.set(path, text);
  }

  async findRecord(name: string): Promise<string | undefined> {
    return this.records.get(recordPath(name));
  }

  async deleteRecord(name: string): Promise<void> {
    this.records.delete(recordPath(name));
  }

  async check(): Promise<void> {}
}
