import type { Amount, CollectedBytes, CollectedFor, Holding } from '#contract/collection.js';
import type { BlobDigest } from '#contract/ids.js';
import type { BlobStorage, StoredBlob } from '#registry/storage/blob-storage.js';
import { eachAtOnce } from '#platform/each-at-once.js';

export interface SweepParts {
  storage: BlobStorage;
  /** What was stored or touched after that time stays. */
  sinceMs: number;
  dryRun: boolean;
  /** Digests of manifests that go, and of what they name. */
  ofManifests: ReadonlySet<string>;
}

const DELETES_AT_ONCE = 8;

export const emptyReport = (): CollectedBytes => ({
  manifests: 0,
  uploads: none(),
  blobs: none(),
  byReason: { version: none(), build: none(), manifest: none(), unreferenced: none() },
  kept: { held: none(), young: none() },
});

/** Goes through the blobs of the store and deletes those that nothing holds; adds up what it did in the report. */
export class Sweep {
  constructor(private readonly parts: SweepParts, private readonly report: CollectedBytes) {}

  /** One part of the blobs: those whose hex digits begin with `prefix`. Answers what is deleted. */
  async run(prefix: string, holdingOf: (digest: string) => Holding | undefined, signal: AbortSignal): Promise<BlobDigest[]> {
    const { storage, sinceMs, dryRun } = this.parts;
    const { kept } = this.report;
    const loose: { blob: StoredBlob; reason: CollectedFor }[] = [];
    for await (const blob of storage.list(prefix)) {
      const holding = holdingOf(blob.digest);
      if (holding === 'held') add(kept.held, blob);
      else if (blob.modifiedMs > sinceMs) add(kept.young, blob);
      else loose.push({ blob, reason: holding ?? (this.parts.ofManifests.has(blob.digest) ? 'manifest' : 'unreferenced') });
    }
    const deleted: BlobDigest[] = [];
    await eachAtOnce(DELETES_AT_ONCE, loose, async ({ blob, reason }) => {
      signal.throwIfAborted();
      if (!dryRun && !(await storage.deleteUntouched(blob.digest, sinceMs))) return add(kept.young, blob);
      if (!dryRun) deleted.push(blob.digest);
      add(this.report.blobs, blob);
      add(this.report.byReason[reason], blob);
    });
    return deleted;
  }
}

function none(): Amount {
  return { count: 0, bytes: 0 };
}

function add(amount: Amount, { bytes }: StoredBlob): void {
  amount.count++;
  amount.bytes += bytes;
}
