import { z } from 'zod';

/** Why something is deleted, or why it stays although nothing names it. */
export const COLLECTED_FOR = ['version', 'build', 'manifest', 'unreferenced'] as const;
export type CollectedFor = (typeof COLLECTED_FOR)[number];

export const Amount = z.object({ count: z.int(), bytes: z.int() });
export type Amount = z.infer<typeof Amount>;

/** What one run of the collector did; in a dry run, what it would have done. */
export const CollectionReport = z.object({
  versions: z.int().describe('Versions whose bytes are given up.'),
  builds: z.int().describe('Builds of versions for engines that no node asks for.'),
  manifests: z.int().describe('Manifests in repositories that no tag leads to.'),
  uploads: Amount.describe('Uploads that were begun and not finished.'),
  blobs: Amount.describe('Blobs that are deleted.'),
  byReason: z.object({
    version: Amount.describe('Held by versions alone that were given up.'),
    build: Amount.describe('Built for engines that no node asks for.'),
    manifest: Amount.describe('Of images that no tag leads to.'),
    unreferenced: Amount.describe('Held by nothing: of pushes that failed, of deleted apps and repositories.'),
  }).describe('The same blobs, by what they were.'),
  kept: z.object({
    held: Amount.describe('Blobs that versions, repositories or uploads hold.'),
    young: Amount.describe('Blobs that nothing holds, but that were stored or asked for within the grace time.'),
  }),
});
export type CollectionReport = z.infer<typeof CollectionReport>;

/** What versions have to do with a blob: one that is served may need it, or only ones that are given up, or builds that nobody asks for. */
export type Holding = 'held' | 'version' | 'build';

/** What the API knows and the registry does not, for one run. */
export interface CollectOrder {
  dryRun: boolean;
  /** What was stored, touched or begun later than this long ago is left alone. */
  graceMs: number;
  /** A manifest that no tag leads to is kept this long. */
  untaggedMs: number;
  /** Digests of images that versions were made of which are kept. */
  images: readonly string[];
  /** Versions of the engine whose builds are kept. */
  isEngineKept(engine: string): boolean;
  /** Of the blobs whose hex digits begin with the given ones, those that versions and uploads by digest have to do with. */
  holdings(prefix: string): Promise<ReadonlyMap<string, Holding>>;
  /** Ids of the uploads by digest that are under way, as `FileUploads` was given them. */
  liveUploads: ReadonlySet<string>;
}

/** What the registry found and did. */
export type CollectedBytes = Omit<CollectionReport, 'versions' | 'builds'>;

/** Deletes what nobody needs any more; `src/bin/` binds the registry's. One at a time in a fleet: the caller sees to that. */
export abstract class Collector {
  /**
   * Throws REGISTRY_STORE_FOREIGN when the store belongs to another database: with that one, empty or of another platform, everything in it
   * would look as if nobody needed it. The first one that asks has it.
   */
  abstract check(): Promise<void>;
  /** Throws as `check` does, REGISTRY_STORAGE_UNAVAILABLE and the signal's reason; what was deleted until then is, and nothing is half deleted. */
  abstract collect(order: CollectOrder, signal: AbortSignal): Promise<CollectedBytes>;
}
