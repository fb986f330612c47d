import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Client, CopyConditions, CopyDestinationOptions, CopySourceOptions } from 'minio';
import { WhorlError } from '#contract/errors.js';
import { MIN_PART_BYTES, toSteps } from './compose-steps.js';
import { type S3Options, toClient } from './s3-client.js';
import { S3Multipart } from './s3-multipart.js';
import { PartBuffers, codeOf, inParts, missingAsUndefined } from './s3-streams.js';
import { type ByteRange, StorageDriver, type StoredObject, type StoredPart } from './storage-driver.js';
import { WatchedContent } from './watched-content.js';

/** The least that S3 takes; three are held in memory. The client's own choice takes over a gigabyte for a large object (measured). 10,000 make 50 GB. */
const PART_BYTES = MIN_PART_BYTES;
/** What S3 takes in one request as a copy. */
const MAX_COPY_BYTES = 5 * 1024 ** 3;
/** Tries of a conditional write that others make at the same time. */
const MAX_CONFLICTS = 3;
const BINARY = { 'Content-Type': 'application/octet-stream' };
const ROOT = 'v1/';

/** Objects in a bucket of an S3-compatible store, which must exist. An object becomes visible when it is complete. */
export class S3Driver extends StorageDriver {
  readonly partBytes = PART_BYTES;
  private readonly client: Client;
  /** Signs URLs for another endpoint of the same store. */
  private readonly signer: Client | undefined;
  private readonly bucket: string;
  private readonly buffers = new PartBuffers(PART_BYTES);
  /** Until the store says that it does not know them. */
  private knowsConditions = true;

  constructor(options: S3Options) {
    super();
    this.bucket = options.bucket;
    this.client = toClient(options);
    this.signer = options.presignEndpoint === undefined ? undefined : toClient({ ...options, endpoint: options.presignEndpoint });
  }

  async create(key: string, content: AsyncIterable<Uint8Array>): Promise<StoredPart | undefined> {
    const source = new WatchedContent(content);
    return this.attempt(() => this.write(key, source)).catch((error: unknown) => {
      throw source.failure ?? error;
    });
  }

  async compose(key: string, parts: readonly StoredPart[]): Promise<void> {
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    await this.attempt(async () => {
      if (parts.length === 1) {
        await this.copy(await this.checked(parts[0]!), key);
      } else if (bytes <= PART_BYTES) {
        await this.createSmall(key, await this.joined(parts));
      } else {
        await S3Multipart.make(this.client, this.bucket, key, async (upload) => {
          for (const step of toSteps(parts)) await (step.length === 1 ? upload.copy(() => this.checked(step[0]!)) : upload.add(await this.joined(step)));
        });
      }
    });
  }

  async read(key: string, range?: ByteRange): Promise<{ bytes: number; content: Readable } | undefined> {
    const found = await this.attempt(() => this.open(key, range));
    return found && { bytes: found.bytes, content: found.content };
  }

  async find(key: string): Promise<StoredObject | undefined> {
    const found = await this.attempt(() => missingAsUndefined(this.client.statObject(this.bucket, key)));
    return found && { key, bytes: found.size, tag: found.etag, modifiedMs: found.lastModified.getTime() };
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const objects = this.client.listObjectsV2(this.bucket, prefix, true)[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.attempt(() => objects.next());
      if (next.done) return;
      const { name: key, size: bytes, etag: tag, lastModified } = next.value as { name?: string; size: number; etag: string; lastModified: Date };
      if (key !== undefined) yield { key, bytes, tag, modifiedMs: lastModified.getTime() };
    }
  }

  async touch(key: string): Promise<boolean> {
    const found = await this.find(key);
    if (!found) return false;
    const done = await this.attempt(() => missingAsUndefined(this.copyOntoItself(found).then(() => true)));
    return done ?? false;
  }

  async delete(key: string): Promise<void> {
    await this.attempt(() => this.client.removeObject(this.bucket, key));
  }

  async presign(key: string, expiresMs: number): Promise<string | undefined> {
    return this.attempt(async () => this.signer?.presignedGetObject(this.bucket, key, Math.ceil(expiresMs / 1000)));
  }

  async sweep(beforeMs: number): Promise<number> {
    let swept = 0;
    const uploads = this.client.listIncompleteUploads(this.bucket, ROOT, true)[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.attempt(() => uploads.next());
      if (next.done) return swept;
      const { key, uploadId, initiated } = next.value as { key: string; uploadId: string; initiated: Date };
      if (new Date(initiated).getTime() >= beforeMs) continue;
      await this.attempt(() => this.client.abortMultipartUpload(this.bucket, key, uploadId));
      swept++;
    }
  }

  async check(): Promise<void> {
    const exists = await this.attempt(() => this.client.bucketExists(this.bucket));
    if (!exists) throw new WhorlError('REGISTRY_STORAGE_UNAVAILABLE', `there is no bucket "${this.bucket}"`);
  }

  private async write(key: string, content: AsyncIterable<Uint8Array>): Promise<StoredPart | undefined> {
    const parts = inParts(content, this.buffers);
    try {
      const first = (await parts.next()).value ?? Buffer.alloc(0);
      const second = first.length === PART_BYTES ? (await parts.next()).value : undefined;
      if (second) return (await this.find(key)) ? undefined : await this.createLarge(key, [first, second], parts);
      const made = await this.createSmall(key, first);
      this.buffers.giveBack(first);
      return made;
    } finally {
      await parts.return(undefined);
    }
  }

  private async createSmall(key: string, content: Buffer): Promise<StoredPart | undefined> {
    const put = async (condition: Record<string, string>): Promise<StoredPart> => {
      // The client's own `putObject` hashes the content twice and copies it.
      const { headers } = await this.client.makeRequestAsyncOmit({ method: 'PUT', bucketName: this.bucket, objectName: key, headers: { ...BINARY, ...condition } }, content);
      return { key, bytes: content.length, tag: tagOf(headers) };
    };
    for (let conflicts = 0; this.knowsConditions; ) {
      try {
        return await put({ 'If-None-Match': '*' });
      } catch (error) {
        if (codeOf(error) === 'PreconditionFailed') return undefined;
        // Somebody else is at it: it is there in a moment, or is not.
        if (codeOf(error) === 'ConditionalRequestConflict' && conflicts++ < MAX_CONFLICTS) continue;
        if (codeOf(error) !== 'NotImplemented') throw error;
        this.knowsConditions = false;
      }
    }
    return (await this.find(key)) ? undefined : put({});
  }

  private async createLarge(key: string, first: Buffer[], rest: AsyncIterable<Buffer>): Promise<StoredPart> {
    let bytes = 0;
    await S3Multipart.make(this.client, this.bucket, key, async (upload) => {
      const add = async (part: Buffer) => {
        bytes += part.length;
        await upload.add(part, () => this.buffers.giveBack(part));
      };
      for (const part of first) await add(part);
      for await (const part of rest) await add(part);
    });
    // Not every store says the tag when it has made an object of parts.
    return { key, bytes, tag: (await this.find(key))?.tag ?? '' };
  }

  private async copyOntoItself(object: StoredPart): Promise<unknown> {
    if (object.bytes > MAX_COPY_BYTES) return S3Multipart.make(this.client, this.bucket, object.key, (upload) => upload.copyInRanges(object, MAX_COPY_BYTES));
    const names = { Bucket: this.bucket, Object: object.key };
    // Refused unless something changes: the metadata are replaced, by the same.
    return this.client.copyObject(new CopySourceOptions(names), new CopyDestinationOptions({ ...names, MetadataDirective: 'REPLACE', Headers: BINARY }));
  }

  private async copy(part: StoredPart, key: string): Promise<void> {
    const conditions = new CopyConditions();
    conditions.setMatchETag(`"${part.tag}"`);
    await this.client.copyObject(this.bucket, key, `/${this.bucket}/${part.key}`, conditions);
  }

  /** Copies are asked for on condition as well, which not every store looks at. */
  private async checked(part: StoredPart): Promise<StoredPart> {
    if ((await this.find(part.key))?.tag !== part.tag) throw new WhorlError('REGISTRY_UPLOAD_CONFLICT', `${part.key} is not what it was`);
    return part;
  }

  private async joined(parts: readonly StoredPart[]): Promise<Buffer> {
    const contents: Buffer[] = [];
    for (const part of parts) {
      const found = await this.open(part.key);
      if (found?.tag !== part.tag) throw new WhorlError('REGISTRY_UPLOAD_CONFLICT', `${part.key} is not what it was`);
      contents.push(await buffer(found.content));
    }
    return Buffer.concat(contents);
  }

  /** What is asked for beyond the end is nothing; S3 itself refuses it. */
  private async open(key: string, range?: ByteRange): Promise<{ bytes: number; tag: string; content: Readable } | undefined> {
    if (range && (range.offset > 0 || range.bytes !== undefined)) {
      const found = await this.find(key);
      const bytes = found && Math.min(range.bytes ?? Infinity, found.bytes - range.offset);
      if (!found || bytes === undefined) return undefined;
      const content = bytes > 0 ? await missingAsUndefined(this.client.getPartialObject(this.bucket, key, range.offset, bytes)) : Readable.from([]);
      return content && { bytes: found.bytes, tag: found.tag, content };
    }
    const content = (await missingAsUndefined(this.client.getObject(this.bucket, key))) as IncomingMessage | undefined;
    return content && { bytes: Number(content.headers['content-length']), tag: tagOf(content.headers), content };
  }

  private async attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      if (cause instanceof WhorlError) throw cause;
      // A part that an object was to be composed of.
      if (codeOf(cause) === 'PreconditionFailed' || codeOf(cause) === 'NoSuchKey') throw new WhorlError('REGISTRY_UPLOAD_CONFLICT', 'somebody else has changed or dropped the upload', { cause });
      throw new WhorlError('REGISTRY_STORAGE_UNAVAILABLE', `the object store does not answer as it should: ${(cause as Error).message}`, { cause });
    }
  }
}

const tagOf = ({ etag = '' }: IncomingHttpHeaders): string => etag.replaceAll('"', '');
