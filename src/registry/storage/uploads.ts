import { type Hash, createHash } from 'node:crypto';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import { PartCutter } from './part-cutter.js';
import { UPLOADS_PATH, partOfPath, partPath, uploadPath } from './paths.js';
import type { StorageDriver, StoredObject, StoredPart } from './storage-driver.js';
import { algorithmOf, checkBlob } from './verify.js';
import { writeParts } from './write-parts.js';

export interface UploadStat {
  id: string;
  bytes: number;
  /** When the last bytes of it were stored. */
  modifiedMs: number;
}

/** Hash of all bytes of an upload, while this process takes each of its chunks. */
interface Hashed {
  parts: readonly StoredPart[];
  hash: Hash;
}

/** So many uploads are hashed on the way at a time; those of longer ago are read again when they finish. */
const MAX_HASHED = 512;

/**
 * Uploads as parts under keys of the driver: each is named by the bytes before it and only created, so that of two that add at the same
 * place one wins, and any process can go on.
 */
export class Uploads {
  private readonly hashed = new Map<string, Hashed>();

  constructor(private readonly driver: StorageDriver) {}

  /** See BlobStorage.appendUpload. */
  async append(id: string, offset: number, content: AsyncIterable<Uint8Array>): Promise<number> {
    const before = await this.parts(id);
    const at = bytesOf(before);
    if (offset !== at) throw new WhorlError('REGISTRY_UPLOAD_CONFLICT', `the chunk begins at ${offset}, the upload stands at ${at}`);
    const hash = this.takeHash(id, before);
    const cutter = new PartCutter(content, this.driver.partBytes, hash);
    let parts: StoredPart[];
    try {
      parts = [...before, ...(await writeParts(this.driver, id, at, cutter))];
    } finally {
      await cutter.close();
    }
    if (hash) this.keepHash(id, { parts, hash });
    if (cutter.failure !== undefined) throw cutter.failure;
    return bytesOf(parts);
  }

  async bytes(id: string): Promise<number> {
    return bytesOf(await this.parts(id));
  }

  /** The parts of an upload that has this digest, and so many bytes. Throws REGISTRY_BLOB_MISMATCH: then the upload is gone. */
  async check(id: string, expected: { digest: BlobDigest; bytes?: number | undefined }): Promise<{ parts: StoredPart[]; bytes: number }> {
    const parts = await this.parts(id);
    const bytes = bytesOf(parts);
    const algorithm = algorithmOf(expected.digest);
    const hash = (algorithm === 'sha256' && this.findHash(id, parts)?.copy()) || (await this.hashAgain(parts, createHash(algorithm)));
    try {
      checkBlob(expected, `${algorithm}:${hash.digest('hex')}`, bytes);
    } catch (error) {
      await this.drop(id);
      throw error;
    }
    return { parts, bytes };
  }

  async drop(id: string): Promise<void> {
    this.hashed.delete(id);
    // The last one first: what is left when this ends in the middle is still an upload.
    for (const { key } of (await this.stored(id)).reverse()) await this.driver.delete(key);
  }

  async *list(): AsyncGenerator<UploadStat> {
    let upload: UploadStat | undefined;
    for await (const { key, bytes, modifiedMs } of this.driver.list(`${UPLOADS_PATH}/`)) {
      const part = partOfPath(key);
      if (!part) continue;
      if (upload && upload.id !== part.id) yield upload;
      const before: UploadStat = upload?.id === part.id ? upload : { id: part.id, bytes: 0, modifiedMs: 0 };
      upload = { ...before, bytes: before.bytes + bytes, modifiedMs: Math.max(before.modifiedMs, modifiedMs) };
    }
    if (upload) yield upload;
  }

  /** Those that follow each other without a gap. */
  private async parts(id: string): Promise<StoredPart[]> {
    const parts: StoredPart[] = [];
    let at = 0;
    for (const { key, bytes, tag } of await this.stored(id)) {
      if (key !== partPath(id, at)) continue;
      parts.push({ key, bytes, tag });
      at += bytes;
    }
    return parts;
  }

  private async stored(id: string): Promise<StoredObject[]> {
    const found: StoredObject[] = [];
    for await (const each of this.driver.list(uploadPath(id))) found.push(each);
    return found;
  }

  private async hashAgain(parts: readonly StoredPart[], hash: Hash): Promise<Hash> {
    for (const { key } of parts) {
      const found = await this.driver.read(key);
      if (!found) throw new WhorlError('REGISTRY_UPLOAD_CONFLICT', 'somebody else has finished or dropped the upload');
      for await (const chunk of found.content as AsyncIterable<Buffer>) hash.update(chunk);
    }
    return hash;
  }

  /** The hash to go on with; whoever has it puts it back when all went well. */
  private takeHash(id: string, parts: readonly StoredPart[]): Hash | undefined {
    const hash = parts.length === 0 ? createHash('sha256') : this.findHash(id, parts);
    this.hashed.delete(id);
    return hash;
  }

  /** Only that of exactly these parts. */
  private findHash(id: string, parts: readonly StoredPart[]): Hash | undefined {
    const hashed = this.hashed.get(id);
    const isSame = hashed?.parts.length === parts.length && parts.every(({ bytes, tag }, i) => hashed.parts[i]!.bytes === bytes && hashed.parts[i]!.tag === tag);
    return isSame ? hashed.hash : undefined;
  }

  private keepHash(id: string, hashed: Hashed): void {
    this.hashed.set(id, hashed);
    for (const oldest of this.hashed.keys()) {
      if (this.hashed.size <= MAX_HASHED) break;
      this.hashed.delete(oldest);
    }
  }
}

const bytesOf = (parts: readonly StoredPart[]): number => parts.reduce((sum, { bytes }) => sum + bytes, 0);
