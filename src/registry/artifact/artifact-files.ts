import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BundleLimits } from '#contract/bundle/limits.js';
import { contentPath, unpackArchive } from '#contract/bundle/unpack.js';
import { WhorlError } from '#contract/errors.js';
import { type BlobDigest, Digest } from '#contract/ids.js';
import type { BlobStorage } from '#registry/storage/blob-storage.js';
import type { ImageBlob, ImageSource, ResolvedImage } from './image-source.js';
import type { Place } from './place.js';

export interface ArtifactPlace {
  image: ResolvedImage;
  source: ImageSource;
  storage: BlobStorage;
  /** Whether the bytes of a layer may be taken out of the store, where they may be another's. */
  mayTake(layer: ImageBlob): Promise<boolean>;
  /** Of one push. */
  folder: string;
  limits: BundleLimits;
  signal: AbortSignal;
}

/**
 *   <folder>
 *   ├── layers/<64 or 128 hex>    layers as they were fetched
 *   └── archive-<n>/<64 hex>      what an archive layer holds, by digest
 *
 * The bytes of one image, fetched as far as they are needed.
 */
export class ArtifactFiles {
  private archives = 0;
  private readonly fetched = new Map<BlobDigest, Promise<string>>();

  constructor(private readonly at: ArtifactPlace) {}

  /** Where a layer's bytes lie: those that the store has, and that may be taken from there, are not fetched again. Throws what the source throws, BUNDLE_TOO_LARGE. */
  async place(layer: ImageBlob): Promise<Place> {
    this.checkSize(layer);
    const stored = await this.at.storage.touch(layer.digest);
    if (stored?.bytes === layer.bytes && (await this.at.mayTake(layer))) return { bytes: layer.bytes };
    return { bytes: layer.bytes, path: await this.fetch(layer) };
  }

  /** A file with the layer's bytes, fetched once. Throws as `place` does. */
  fetch(layer: ImageBlob): Promise<string> {
    const known = this.fetched.get(layer.digest);
    if (known) return known;
    const file = this.fetchNow(layer);
    this.fetched.set(layer.digest, file);
    return file;
  }

  /** The files of an archive, by digest, all together within the limits. Throws as `unpackBundle` does, and as `place`. */
  async unpack(layer: ImageBlob, limits: BundleLimits): Promise<{ places: Map<Digest, Place>; entries: number; bytes: number }> {
    const directory = join(this.at.folder, `archive-${++this.archives}`);
    const { entries, folders } = await unpackArchive(createReadStream(await this.fetch(layer)), directory, limits, this.at.signal);
    const places = new Map([...entries.values()].map(({ digest, bytes }) => [digest, { bytes, path: contentPath(directory, digest) }] as const));
    return { places, entries: entries.size + folders.size, bytes: [...entries.values()].reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  private async fetchNow(layer: ImageBlob): Promise<string> {
    const { image, source, folder, signal } = this.at;
    this.checkSize(layer);
    await mkdir(join(folder, 'layers'), { recursive: true });
    const path = join(folder, 'layers', hexOf(layer.digest));
    await source.fetchBlob(image, layer, path, signal);
    return path;
  }

  private checkSize({ digest, bytes }: ImageBlob): void {
    const { fileBytes } = this.at.limits;
    if (bytes > fileBytes) throw new WhorlError('BUNDLE_TOO_LARGE', `the layer ${digest} has ${bytes} bytes, more than the ${fileBytes} that one file may have`);
  }
}

/** The SHA-256 of a file, for layers that are named by another digest. */
export async function sha256Of(path: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return Digest.parse(`sha256:${hash.digest('hex')}`);
}

const hexOf = (digest: BlobDigest): string => digest.slice(digest.indexOf(':') + 1);
