import type { ComponentBuild } from './artifact.js';
import type { LockedApp } from './bundle/locked-app.js';
import type { Digest } from './ids.js';

/** A bundle taken in: stored, locked, and every component built. Nothing of it is visible until a version names it. */
export interface IngestedBundle {
  /** Of the bytes as they were sent. */
  digest: Digest;
  /** Of the bytes as they were sent. */
  bytes: number;
  /** The text of spin.toml. */
  manifest: string;
  app: LockedApp;
  builds: Record<string, ComponentBuild>;
  /** What is worth changing in the manifest, each with its line: deprecated keys, routes that are never reached. */
  warnings?: string[];
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
   * Builds the components of an app that was taken in before, for this engine, from the bytes in the store. Throws as `ingest` does, and
   * REGISTRY_BLOB_UNKNOWN when they are gone.
   */
  abstract rebuild(app: LockedApp, signal: AbortSignal): Promise<Record<string, ComponentBuild>>;
  /** Throws when the store cannot be reached. */
  abstract check(): Promise<void>;
}
