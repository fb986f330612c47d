import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dirname } from 'node:path/posix';
import { MANIFEST_NAME } from '#contract/bundle/limits.js';
import { WhorlError } from '#contract/errors.js';
import { type BlobBytes, FileUploads, type UploadedFile } from '#contract/file-uploads.js';
import { Digest } from '#contract/ids.js';
import type { IngestedBundle } from '#contract/registry.js';
import { eachAtOnce } from '#platform/each-at-once.js';
import type { BlobStorage } from '#registry/storage/blob-storage.js';
import type { Intake, Push } from './intake.js';
import { withinPushTime } from './push-time.js';
import type { WorkFolder } from './work-folder.js';

const LOOKS_AT_ONCE = 16;
/** Of a digest, in the id of its upload: the rest of the 64 characters that an id may have. */
const DIGEST_CHARACTERS = 31;

/** Uploads by digest: each file is an upload of its own in the store until it is whole. */
export class FileUploadsService extends FileUploads {
  constructor(private readonly parts: { storage: BlobStorage; work: WorkFolder; intake: Intake }) {
    super();
  }

  async present(digests: readonly Digest[]): Promise<Set<Digest>> {
    const present = new Set<Digest>();
    await eachAtOnce(LOOKS_AT_ONCE, digests, async (digest) => {
      if (await this.parts.storage.touch(digest)) present.add(digest);
    });
    return present;
  }

  async received(upload: string, digest: Digest): Promise<number> {
    return this.parts.storage.uploadBytes(storedId(upload, digest));
  }

  async append(upload: string, { digest, bytes }: BlobBytes, offset: number, content: AsyncIterable<Uint8Array>): Promise<number> {
    const { storage } = this.parts;
    const id = storedId(upload, digest);
    try {
      const received = await storage.appendUpload(id, offset, atMost(content, bytes - offset));
      if (received === bytes) await storage.finishUpload(id, { digest, bytes });
      return received;
    } catch (error) {
      if (!(error instanceof WhorlError)) throw error;
      if (error.code === 'REGISTRY_UPLOAD_CONFLICT') throw new WhorlError('API_UPLOAD_OFFSET_WRONG', `${digest}: ${error.message}`, { cause: error });
      if (error.code !== 'REGISTRY_BLOB_MISMATCH') throw error;
      await storage.dropUpload(id);
      throw new WhorlError('API_UPLOAD_DIGEST_WRONG', error.message, { cause: error });
    }
  }

  async drop(upload: string, digests: readonly Digest[]): Promise<void> {
    await eachAtOnce(LOOKS_AT_ONCE, digests, (digest) => this.parts.storage.dropUpload(storedId(upload, digest)));
  }

  async ingest(manifest: string, files: readonly UploadedFile[], signal: AbortSignal): Promise<IngestedBundle> {
    const text = Buffer.from(manifest);
    const listed: UploadedFile[] = [{ path: MANIFEST_NAME, digest: sha256(text), bytes: text.length }, ...files];
    return withinPushTime(signal, (limited) => this.parts.work.with(async (folder) => {
      const located: Push['located'] = new Map(listed.map(({ digest, bytes }) => [digest, { bytes }]));
      for (const content of [text, Buffer.alloc(0)]) {
        const path = join(folder, sha256(content).slice('sha256:'.length));
        await writeFile(path, content);
        located.set(sha256(content), { bytes: content.length, path });
      }
      const content = { entries: new Map(listed.map(({ path: name, digest, bytes }) => [name, { digest, bytes }])), folders: foldersOf(listed) };
      const taken = await this.parts.intake.takeManifest(manifest, content, { folder, located, signal: limited });
      return { digest: digestOf(listed), bytes: listed.reduce((sum, { bytes }) => sum + bytes, 0), ...taken };
    }));
  }
}

/** In the place of the digest of a bundle's bytes: one over all files and their names, in whatever order they were listed. */
function digestOf(files: readonly UploadedFile[]): Digest {
  const sorted = files.map(({ path, digest }) => [path, digest]).sort(([a], [b]) => (a! < b! ? -1 : 1));
  return sha256(Buffer.from(JSON.stringify(sorted)));
}

function foldersOf(files: readonly UploadedFile[]): Set<string> {
  const folders = new Set<string>();
  for (const { path } of files) for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  return folders;
}

/** Throws REGISTRY_BLOB_MISMATCH as soon as more comes. */
async function* atMost(content: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let left = maxBytes;
  for await (const chunk of content) {
    left -= chunk.length;
    if (left < 0) throw new WhorlError('REGISTRY_BLOB_MISMATCH', 'more bytes come than the file was said to have');
    yield chunk;
  }
}

/** Id in the store of what comes for one file of an upload. */
const storedId = (upload: string, digest: Digest): string => `${upload.replaceAll('-', '')}-${digest.slice('sha256:'.length, 'sha256:'.length + DIGEST_CHARACTERS)}`;

/** The upload that an id in the store belongs to; undefined for uploads of another kind. */
export function uploadOf(stored: string): string | undefined {
  const hex = /^([0-9a-f]{32})-[0-9a-f]{31}$/.exec(stored)?.[1];
  return hex && [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

const sha256 = (bytes: Uint8Array): Digest => Digest.parse(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
