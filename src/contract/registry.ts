import type { ComponentBuild } from './artifact.js';
import type { LockedApp } from './bundle/locked-app.js';
import type { BlobDigest, Digest } from './ids.js';
import type { ImageTrust } from './image-trust.js';

/** A bundle taken in: stored, locked, and every component built. Nothing of it is visible until a version names it. */
export interface IngestedBundle {
  /** Of the bytes as they were sent. */
  digest: Digest;
  /** Of the bytes as they were sent. */
  bytes: number;
  /** The text of spin.toml; of an image that `spin registry push` made, the locked app as it was pushed. */
  manifest: string;
  app: LockedApp;
  builds: Record<string, ComponentBuild>;
  /** What is worth changing in the manifest, each with its line: deprecated keys, routes that are never reached. */
  warnings?: string[];
}

/** As `IngestedBundle`; its digest is the image's (its SHA-256, when the image is named by another digest), its bytes all that the image has. */
export interface IngestedImage extends IngestedBundle {
  image: {
    /** As it was asked for, in full. */
    reference: string;
    /** What that meant when it was taken in. */
    digest: BlobDigest;
    /** Absent where nobody looks at signatures. */
    trust?: ImageTrust;
  };
}

export interface ImageOptions {
  /** For which app. */
  app: string;
  /** Hosts, with ports, that are this control plane's own: in front of a reference they mean the built-in registry. */
  hosts: readonly string[];
  /** Of these digests those that the app's organisation has already: another registry need not send their bytes again. */
  held?(digests: readonly Digest[]): Promise<ReadonlySet<string>>;
}

/** A tag of an app's repository in the built-in registry. */
export interface PushedTag {
  app: string;
  tag: string;
  /** What it leads to now. */
  digest: BlobDigest;
  /** When it was pushed last, by the database's clock. */
  pushedAt: Date;
  /** Name of the token that pushed it then; null: not known. */
  pushedBy?: string | null;
}

/**
 * What the API asks of the registry. The two never import each other: this class is the injection token, `src/bin/` binds it.
 */
export abstract class Registry {
  /** Of the engine that it builds for. */
  abstract readonly engine: string;
  /**
   * Takes a bundle (tar.gz), up to the configured size. Throws `WhorlError` with a BUNDLE_… or REGISTRY_… code; then nothing is kept
   * that a version could see.
   */
  abstract ingest(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<IngestedBundle>;
  /**
   * Takes an image in, of the built-in registry or any other, by tag or digest: `shop:1.2.0`, `acme/shop@sha256:…`, `ghcr.io/acme/shop:1.2.0`.
   * Throws as `ingest` does, and REGISTRY_IMAGE_… codes.
   */
  abstract ingestImage(reference: string, options: ImageOptions, signal: AbortSignal): Promise<IngestedImage>;
  /**
   * Tags of apps' repositories that were pushed after a time, the oldest first. One that was pushed within the last half minute may become
   * visible after a later one.
   */
  abstract pushedTags(since: Date, app?: string): Promise<PushedTag[]>;
  /** Tells of the app whose repository a tag is pushed to, in this process; who must not miss one looks at `pushedTags` as well. Answers what ends it. */
  abstract onTagPush(listener: (app: string) => void): () => void;
  /**
   * Builds the components of an app that was taken in before, for this engine, from the bytes in the store. Throws as `ingest` does, and
   * REGISTRY_BLOB_UNKNOWN when they are gone.
   */
  abstract rebuild(app: LockedApp, signal: AbortSignal): Promise<Record<string, ComponentBuild>>;
  /**
   * Holds bytes that nobody can have signed, since they did not come as an image, against the organisation's policy. Throws
   * REGISTRY_SIGNATURE_MISSING where it enforces signatures for the app; answers a warning where it only warns.
   */
  abstract checkUnsigned(app: string): Promise<string | undefined>;
  /** Throws when the store cannot be reached. */
  abstract check(): Promise<void>;
}
