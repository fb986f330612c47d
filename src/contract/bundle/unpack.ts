import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { WhorlError } from '#contract/errors.js';
import { Digest } from '#contract/ids.js';
import { quotePath } from './entry-path.js';
import { type BundleLimits, MANIFEST_NAME } from './limits.js';
import { type TarEntry, readTar } from './tar-reader.js';

export interface BundleFile {
  bytes: number;
  digest: Digest;
}

export interface UnpackedBundle {
  /** sha256 of the bytes as they were sent. */
  digest: Digest;
  /** As they were sent. */
  bytes: number;
  /** Files by path. Their bytes are at `contentPath(directory, digest)`. */
  entries: Map<string, BundleFile>;
  folders: Set<string>;
}

/** Below this a file is hashed in memory and written in one call. */
const SMALL_FILE_BYTES = 64 * 1024;
/** Node's 16 KiB halve the speed for a component of 12 MB. */
const GUNZIP_CHUNK_BYTES = 256 * 1024;
/** A ratio says nothing before this many bytes: a short run of zeros packs a thousandfold. */
const RATIO_FROM_BYTES = 16 * 1024 * 1024;

/**
 *   <directory>
 *   └── <64 hex>      the bytes of a file, named by their sha256: no name from the bundle ever becomes a path on disk
 */
export function contentPath(directory: string, digest: string): string {
  return join(directory, Digest.parse(digest).slice('sha256:'.length));
}

/**
 * Unpacks a tar.gz into `directory`, which must be empty or absent, while it comes in: nothing is held whole in memory. On an error the
 * directory is removed. Throws BUNDLE_ARCHIVE_INVALID, BUNDLE_TRUNCATED (also when `input` itself fails), BUNDLE_ENTRY_REFUSED,
 * BUNDLE_TOO_LARGE, BUNDLE_MANIFEST_MISSING; the signal's reason when that is aborted.
 */
export async function unpackBundle(input: AsyncIterable<Uint8Array>, directory: string, limits: BundleLimits, signal?: AbortSignal): Promise<UnpackedBundle> {
  return unpackInto(input, directory, { limits, signal, check: requireManifest });
}

/** As `unpackBundle`, for an archive that is no whole bundle: it need not hold a manifest. */
export async function unpackArchive(input: AsyncIterable<Uint8Array>, directory: string, limits: BundleLimits, signal?: AbortSignal): Promise<UnpackedBundle> {
  return unpackInto(input, directory, { limits, signal });
}

interface UnpackOptions {
  limits: BundleLimits;
  signal: AbortSignal | undefined;
  check?: (entries: Map<string, BundleFile>) => void;
}

async function unpackInto(input: AsyncIterable<Uint8Array>, directory: string, options: UnpackOptions): Promise<UnpackedBundle> {
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0) throw new Error(`cannot unpack into ${directory}: it is not empty`);
  try {
    return await unpack(input, directory, options);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    options.signal?.throwIfAborted();
    throw asBundleError(error);
  }
}

async function unpack(input: AsyncIterable<Uint8Array>, directory: string, { limits, signal, check }: UnpackOptions): Promise<UnpackedBundle> {
  const sent = new SentBytes(limits.bundleBytes);
  const gunzip = createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES });
  const store = new FileStore(directory);
  await pipeline(
    sent.pass(input),
    gunzip,
    async (unzipped: AsyncIterable<Uint8Array>) => {
      for await (const entry of readTar(guardRatio(unzipped, sent, limits.ratio), limits)) await store.put(entry);
    },
    { ...(signal && { signal }) },
  );
  if (gunzip.bytesWritten !== sent.bytes) throw new WhorlError('BUNDLE_ARCHIVE_INVALID', `there are ${sent.bytes - gunzip.bytesWritten} bytes after the end of the gzip data`);
  check?.(store.entries);
  return { digest: sent.digest(), bytes: sent.bytes, entries: store.entries, folders: store.folders };
}

/** Counts and hashes the bytes on their way in. */
class SentBytes {
  bytes = 0;
  private readonly hash = createHash('sha256');

  constructor(private readonly maxBytes: number) {}

  async *pass(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of input) {
        this.bytes += chunk.length;
        if (this.bytes > this.maxBytes) throw new WhorlError('BUNDLE_TOO_LARGE', `the bundle has more than ${this.maxBytes} bytes`);
        this.hash.update(chunk);
        yield chunk;
      }
    } catch (cause) {
      if (cause instanceof WhorlError) throw cause;
      throw new WhorlError('BUNDLE_TRUNCATED', `the upload was cut off after ${this.bytes} bytes`, { cause });
    }
    if (this.bytes === 0) throw new WhorlError('BUNDLE_ARCHIVE_INVALID', 'the bundle is empty (0 bytes)');
  }

  digest(): Digest {
    return Digest.parse(`sha256:${this.hash.digest('hex')}`);
  }
}

async function* guardRatio(unzipped: AsyncIterable<Uint8Array>, sent: SentBytes, ratio: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of unzipped) {
    bytes += chunk.length;
    if (bytes > RATIO_FROM_BYTES && bytes > sent.bytes * ratio) {
      throw new WhorlError('BUNDLE_TOO_LARGE', `the bundle unpacks to more than ${ratio} times its size (${bytes} bytes from ${sent.bytes}): it is taken for a decompression bomb`);
    }
    yield chunk;
  }
}

/** Writes each distinct content once. */
class FileStore {
  readonly entries = new Map<string, BundleFile>();
  readonly folders = new Set<string>();
  private readonly written = new Set<Digest>();

  constructor(private readonly directory: string) {}

  async put(entry: TarEntry): Promise<void> {
    if (entry.kind === 'folder') {
      this.folders.add(entry.path);
      return;
    }
    const digest = await (entry.bytes <= SMALL_FILE_BYTES ? this.putSmall(entry) : this.putLarge(entry));
    this.entries.set(entry.path, { bytes: entry.bytes, digest });
  }

  private async putSmall(entry: TarEntry): Promise<Digest> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry.content) chunks.push(chunk);
    const content = Buffer.concat(chunks);
    const digest = Digest.parse(`sha256:${createHash('sha256').update(content).digest('hex')}`);
    if (!this.written.has(digest)) await writeFile(contentPath(this.directory, digest), content, { flag: 'wx' });
    this.written.add(digest);
    return digest;
  }

  private async putLarge(entry: TarEntry): Promise<Digest> {
    const hash = createHash('sha256');
    const partial = join(this.directory, 'partial');
    await using file = await open(partial, 'w');
    for await (const chunk of entry.content) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    const digest = Digest.parse(`sha256:${hash.digest('hex')}`);
    await rename(partial, contentPath(this.directory, digest));
    this.written.add(digest);
    return digest;
  }
}

/** A folder around everything is the common mistake: say so. */
function requireManifest(entries: Map<string, BundleFile>): void {
  if (entries.has(MANIFEST_NAME)) return;
  const inner = [...entries.keys()].find((path) => path.endsWith(`/${MANIFEST_NAME}`));
  const roots = new Set([...entries.keys()].map((path) => path.split('/', 1)[0]!));
  const root = inner && roots.size === 1 ? inner.slice(0, -MANIFEST_NAME.length - 1) : undefined;
  const why = root
    ? `everything is below the folder ${quotePath(root)}; pack its content instead: tar -czf app.tar.gz -C ${root} .`
    : inner ? `there is one at ${quotePath(inner)}` : `it holds ${entries.size} other files`;
  throw new WhorlError('BUNDLE_MANIFEST_MISSING', `the bundle has no ${MANIFEST_NAME} at its root: ${why}`);
}

function asBundleError(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'Z_BUF_ERROR') return new WhorlError('BUNDLE_TRUNCATED', 'the gzip data ends too early', { cause: error });
  if (typeof code === 'string' && code.startsWith('Z_')) return new WhorlError('BUNDLE_ARCHIVE_INVALID', `the bundle is no valid gzip data: ${(error as Error).message}`, { cause: error });
  return error;
}
