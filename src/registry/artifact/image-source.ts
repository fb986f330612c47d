import type { BlobDigest } from '#contract/ids.js';

/** An image that a reference led to: which bytes it is does not change any more. */
export interface ResolvedImage {
  /** As it was asked for, in full: host, repository, and the tag or digest (`ghcr.io/acme/shop:1.2.0`). Without the host: the built-in registry's. */
  reference: string;
  /** Of the manifest. */
  digest: BlobDigest;
  mediaType: string;
  /** The manifest's bytes, which have the digest. */
  manifest: Buffer;
}

/** A blob as a manifest's descriptor names it (OCI image-spec, descriptors). */
export interface ImageBlob {
  digest: BlobDigest;
  bytes: number;
}

/** A manifest that refers to an image by its `subject`, as a list of referrers has it. */
export interface Referrer {
  mediaType: string;
  digest: BlobDigest;
  /** Its manifest's; `size` in the specification. */
  bytes: number;
  artifactType?: string | undefined;
  annotations?: Record<string, string> | undefined;
}

/**
 * Where images come from: the built-in registry, or any other one over the network. Every method throws REGISTRY_IMAGE_… errors that name
 * the reference, and the signal's reason when that is aborted.
 */
export abstract class ImageSource {
  /** What a tag means now, or that the digest is there. Throws REGISTRY_IMAGE_UNKNOWN, REGISTRY_IMAGE_DENIED, REGISTRY_IMAGE_UNREACHABLE. */
  abstract resolve(reference: string, signal: AbortSignal): Promise<ResolvedImage>;
  /** Another manifest of the image's repository, e.g. one that an index names. The bytes have the digest. Throws as `resolve` does. */
  abstract manifest(image: ResolvedImage, digest: BlobDigest, signal: AbortSignal): Promise<Buffer>;
  /**
   * Whether the repository says that it has the blob and would give it to us. Of the built-in registry that is enough to take the bytes out of the
   * store; another one's word proves nothing, since whoever runs it may say so of any digest.
   */
  abstract hasBlob(image: ResolvedImage, blob: ImageBlob, signal: AbortSignal): Promise<boolean>;
  /**
   * Writes a blob to `path`, which must not exist. Size and digest are verified: REGISTRY_IMAGE_MISMATCH. On an error there is no file.
   */
  abstract fetchBlob(image: ResolvedImage, blob: ImageBlob, path: string, signal: AbortSignal): Promise<void>;
  /**
   * What is attached to the image (OCI distribution-spec, listing referrers; the index under the tag `sha256-<hex>` where the registry has no
   * such list): signatures, provenance. None is an empty list. Throws as `resolve` does.
   */
  abstract referrers(image: ResolvedImage, signal: AbortSignal): Promise<Referrer[]>;
}
