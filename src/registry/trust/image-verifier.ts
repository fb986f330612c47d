import type { ImageTrust } from '#contract/image-trust.js';

/** An image whose manifest is known. */
export interface SignedImage {
  /** In full: `ghcr.io/acme/shop:1.2.0`; without a host for one of the built-in registry. */
  reference: string;
  /** Of the manifest, or of the index. */
  digest: string;
  mediaType: string;
  manifest: Buffer;
}

/** A descriptor (OCI image-spec) as a list of referrers has it. */
export interface Referrer {
  mediaType: string;
  digest: string;
  size: number;
  artifactType?: string | undefined;
  annotations?: Record<string, string> | undefined;
}

/** The registry that holds the image, asked for what is attached to it. */
export interface AttachmentSource<Image extends SignedImage = SignedImage> {
  /** What a tag means; throws REGISTRY_IMAGE_UNKNOWN when there is none. */
  resolve(reference: string, signal: AbortSignal): Promise<Image>;
  manifest(image: Image, digest: string, signal: AbortSignal): Promise<Buffer>;
  fetchBlob(image: Image, blob: { digest: string; bytes: number }, path: string, signal: AbortSignal): Promise<void>;
  /**
   * Manifests whose `subject` is the image (OCI distribution-spec, listing referrers; the tag `sha256-<hex>` where the registry has no such
   * list). None is an empty list.
   */
  referrers(image: Image, signal: AbortSignal): Promise<Referrer[]>;
}

export interface VerifyOptions<Image extends SignedImage = SignedImage> {
  /** For which app a version is made of it. */
  app: string;
  source: AttachmentSource<Image>;
  signal: AbortSignal;
}

/** Holds images against the organisation's policy. Called once for each version that is made of an image, before anything is built. */
export abstract class ImageVerifier {
  /**
   * What is attached to the image, and whose signatures. Throws REGISTRY_SIGNATURE_MISSING and REGISTRY_SIGNATURE_UNTRUSTED where the policy
   * enforces them, and what the source throws when it cannot be asked.
   */
  abstract verifyImage<Image extends SignedImage>(image: Image, options: VerifyOptions<Image>): Promise<ImageTrust>;
  /**
   * For bytes that nobody can have signed, since they come as a bundle: throws REGISTRY_SIGNATURE_MISSING where the policy enforces
   * signatures for the app, answers a warning where it only warns.
   */
  abstract checkUnsigned(app: string): Promise<string | undefined>;
}
