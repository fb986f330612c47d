import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { Client } from 'minio';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { type BlobStat, BlobStorage } from './blob-storage.js';
import { BLOBS_PATH, blobPath, digestOfPath, recordPath } from './paths.js';
import { verify } from './verify.js';

export interface S3Options {
  /** With scheme, and port unless it is the scheme's own. */
  endpoint: string;
  bucket: string;
  region: string;
  accessKey: string;
  secretKey: string;
}

/** Each part of an upload is held in memory; the client's own choice takes over a gigabyte for a large object (measured). */
const PART_BYTES = 16 * 1024 * 1024;

/** Bytes in a bucket of an S3-compatible store, which must exist. An object becomes visible when it is complete. */
export class S3Storage extends BlobStorage {
  private readonly client: Client;
  private readonly bucket: string;

  constructor(options: S3Options) {
    super();
    const url = new URL(options.endpoint);
    this.bucket = options.bucket;
    this.client = new Client({
      endPoint: url.hostname,
      port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
      useSSL: url.protocol === 'https:',
      // Given, the client does not ask the store for it before the first request.
      region: options.region,
      accessKey: options.accessKey,
      secretKey: options.secretKey,
      // Names of buckets before the host need DNS that stores of one's own seldom have.
      pathStyle: true,
      partSize: PART_BYTES,
    });
  }

  async put(blob: BlobStat, content: () => AsyncIterable<Uint8Array>): Promise<void> {
    if (await this.find(blob.digest)) return;
    await this.attempt(() => this.putVerified(blob, content()));
  }

  async get(digest: Digest): Promise<{ bytes: number; content: Readable }> {
    const found = await this.find(digest);
    const content = found && (await this.attempt(() => missingAsUndefined(this.client.getObject(this.bucket, blobPath(digest)))));
    if (!content) throw new WhorlError('REGISTRY_BLOB_UNKNOWN', `there is no blob ${digest}`);
    return { bytes: found.bytes, content };
  }

  async find(digest: Digest): Promise<BlobStat | undefined> {
    const found = await this.attempt(() => missingAsUndefined(this.client.statObject(this.bucket, blobPath(digest))));
    return found && { digest, bytes: found.size };
  }

  async delete(digest: Digest): Promise<void> {
    await this.attempt(() => this.client.removeObject(this.bucket, blobPath(digest)));
  }

  async *list(prefix: string): AsyncGenerator<BlobStat> {
    const shard = prefix.length < 2 ? prefix : `${prefix.slice(0, 2)}/${prefix}`;
    const objects = this.client.listObjectsV2(this.bucket, `${BLOBS_PATH}/${shard}`, true)[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.attempt(() => objects.next());
      if (next.done) return;
      const { name, size } = next.value as { name?: string; size: number };
      const digest = name === undefined ? undefined : digestOfPath(name);
      if (digest) yield { digest, bytes: size };
    }
  }

  /** Not every store knows conditional writes: two processes may both write, which is harmless as records say the same. */
  async putRecord(name: string, content: string): Promise<void> {
    if ((await this.findRecord(name)) !== undefined) return;
    const bytes = Buffer.from(content);
    await this.attempt(() => this.client.putObject(this.bucket, recordPath(name), bytes, bytes.length, { 'Content-Type': 'application/json' }));
  }

  async findRecord(name: string): Promise<string | undefined> {
    return this.attempt(async () => {
      const content = await missingAsUndefined(this.client.getObject(this.bucket, recordPath(name)));
      return content && text(content);
    });
  }

  async deleteRecord(name: string): Promise<void> {
    await this.attempt(() => this.client.removeObject(this.bucket, recordPath(name)));
  }

  async check(): Promise<void> {
    const exists = await this.attempt(() => this.client.bucketExists(this.bucket));
    if (!exists) throw new WhorlError('REGISTRY_STORAGE_UNAVAILABLE', `there is no bucket "${this.bucket}"`);
  }

  /**
   * Small ones go in one request, larger ones in parts of an upload of their own (the client's `putObject` would go on with the upload
   * that another process has begun). A wrong one fails before its last bytes and is never completed.
   */
  private async putVerified(blob: BlobStat, content: AsyncIterable<Uint8Array>): Promise<void> {
    const key = blobPath(blob.digest);
    const headers = { 'Content-Type': 'application/octet-stream' };
    if (blob.bytes <= PART_BYTES) {
      const whole = await buffer(verify(blob, content));
      await this.client.putObject(this.bucket, key, whole, whole.length, headers);
      return;
    }
    const uploadID = await this.client.initiateNewMultipartUpload(this.bucket, key, headers);
    try {
      const parts: { part: number; etag: string }[] = [];
      for await (const part of inParts(verify(blob, content))) {
        const partNumber = parts.length + 1;
        const { etag } = await this.client.uploadPart({ bucketName: this.bucket, objectName: key, uploadID, partNumber, headers: {} }, part);
        parts.push({ part: partNumber, etag });
      }
      await this.client.completeMultipartUpload(this.bucket, key, uploadID, parts);
    } catch (error) {
      // What is wrong is said by the first error; parts that stay behind are seen by nobody and end with the bucket's own rule.
      await this.client.abortMultipartUpload(this.bucket, key, uploadID).catch(() => {});
      throw error;
    }
  }

  private async attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      if (cause instanceof WhorlError) throw cause;
      throw new WhorlError('REGISTRY_STORAGE_UNAVAILABLE', `the object store does not answer as it should: ${(cause as Error).message}`, { cause });
    }
  }
}

/** Chunks joined to parts of one size, the last one smaller. */
async function* inParts(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (let chunk of content) {
    while (bytes + chunk.length >= PART_BYTES) {
      yield Buffer.concat([...chunks, chunk.subarray(0, PART_BYTES - bytes)]);
      chunk = chunk.subarray(PART_BYTES - bytes);
      chunks = [];
      bytes = 0;
    }
    if (chunk.length > 0) chunks.push(chunk);
    bytes += chunk.length;
  }
  if (bytes > 0) yield Buffer.concat(chunks);
}

async function missingAsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'NoSuchKey' || code === 'NotFound') return undefined;
    throw error;
  }
}
