import type { ImageTrust } from '#contract/image-trust.js';
import type { ImageSource, ResolvedImage } from '#registry/artifact/image-source.js';

export interface VerifyOptions {
  /** For which app a version is made of it. */
  app: string;
  /** The registry that holds it. */
  source: ImageSource;
  signal: AbortSignal;
}

/** Holds images against the organisation's policy. Called once for each version that is made of an image, before anything is built. */
export abstract class ImageVerifier {
  /**
   * What is attached to the image, and whose signatures. Throws REGISTRY_SIGNATURE_MISSING and REGISTRY_SIGNATURE_UNTRUSTED where the policy
   * enforces them, and what the source throws when it cannot be asked.
   */
  abstract verifyImage(image: ResolvedImage, options: VerifyOptions): Promise<ImageTrust>;
  /**
   * For bytes that nobody can have signed, since they come as a bundle: throws REGISTRY_SIGNATURE_MISSING where the policy enforces
   * signatures for the app, answers a warning where it only warns.
   */
  abstract checkUnsigned(app: string): Promise<string | undefined>;
}
