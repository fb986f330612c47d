import { open, rm } from 'node:fs/promises';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import { type ImageBlob, ImageSource, type Referrer, type ResolvedImage } from '#registry/artifact/image-source.js';
import { formatReference, parseReference } from './reference.js';
import type { RemoteManifest, RemoteRegistryClient } from './remote-registry.client.js';
import type { Access } from './registry-tokens.js';

/** For a manifest or an answer, redirects, tokens and further attempts included. */
const ANSWER_TIMEOUT_MS = 60_000;
/** A registry that sends less for long only holds our connections. */
const LEAST_BYTES_PER_MS = 32;

/** Images of other registries, over the network. */
export class RemoteImageSource extends ImageSource {
  constructor(private readonly registry: RemoteRegistryClient) {
    super();
  }

  /** Throws REGISTRY_IMAGE_REFERENCE_INVALID too, also for a reference without a host. */
  async resolve(reference: string, signal: AbortSignal): Promise<ResolvedImage> {
    const parsed = parseReference(reference);
    const full = formatReference(parsed);
    const access = accessOf(full);
    const { digest, mediaType, content } = await within(full, ANSWER_TIMEOUT_MS, signal, (ends) => this.registry.manifest(access, parsed.digest ?? parsed.tag!, ends));
    return { reference: full, digest, mediaType, manifest: content };
  }

  async manifest(image: ResolvedImage, digest: BlobDigest, signal: AbortSignal): Promise<Buffer> {
    return (await this.typedManifest(image, digest, signal)).content;
  }

  /** The same with its media type. */
  typedManifest({ reference }: ResolvedImage, digest: BlobDigest, signal: AbortSignal): Promise<RemoteManifest> {
    return within(reference, ANSWER_TIMEOUT_MS, signal, (ends) => this.registry.manifest(accessOf(reference), digest, ends));
  }

  /** By its word alone: whoever runs that registry may say yes to any digest. */
  hasBlob({ reference }: ResolvedImage, blob: ImageBlob, signal: AbortSignal): Promise<boolean> {
    return within(reference, ANSWER_TIMEOUT_MS, signal, (ends) => this.registry.hasBlob(accessOf(reference), blob, ends));
  }

  async fetchBlob(image: ResolvedImage, blob: ImageBlob, path: string, signal: AbortSignal): Promise<void> {
    const file = await open(path, 'wx');
    try {
      await this.readBlob(image, blob, (content) => file.writeFile(content), signal);
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  }

  /** Gives the verified bytes of a blob to `take` while they come. Throws as `fetchBlob` does, and what `take` throws. */
  readBlob<T>({ reference }: ResolvedImage, blob: ImageBlob, take: (content: AsyncIterable<Uint8Array>) => Promise<T>, signal: AbortSignal): Promise<T> {
    const timeoutMs = ANSWER_TIMEOUT_MS + Math.ceil(blob.bytes / LEAST_BYTES_PER_MS);
    return within(reference, timeoutMs, signal, (ends) => take(this.registry.blob(accessOf(reference), blob, ends)));
  }

  referrers({ reference, digest }: ResolvedImage, signal: AbortSignal): Promise<Referrer[]> {
    return within(reference, ANSWER_TIMEOUT_MS, signal, (ends) => this.registry.referrers(accessOf(reference), digest, ends));
  }
}

function accessOf(reference: string): Access {
  const { host, repository } = parseReference(reference);
  if (host === undefined) throw new WhorlError('REGISTRY_IMAGE_REFERENCE_INVALID', `${reference} names no registry: write its host before the repository (docker.io/${repository})`);
  return { host, repository };
}

/** Ends an action when its time is up, and says of which image an error is. */
async function within<T>(reference: string, timeoutMs: number, signal: AbortSignal, action: (ends: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await action(AbortSignal.any([signal, timeout]));
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${reference}: not done within ${timeoutMs} ms`, { cause: error });
    if (error instanceof WhorlError && error.code.startsWith('REGISTRY_IMAGE_')) throw new WhorlError(error.code, `${reference}: ${error.message}`, { cause: error.cause });
    throw error;
  }
}
