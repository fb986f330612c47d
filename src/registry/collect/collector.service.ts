import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type Amount, type CollectedBytes, type CollectOrder, Collector } from '#contract/collection.js';
import { WhorlError } from '#contract/errors.js';
import { uploadOf } from '#registry/service/file-uploads.service.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { BuildRecords } from './build-records.js';
import { type LooseManifest, RepositoryHoldingsRepository } from './repository-holdings.repository.js';
import { emptyReport, Sweep } from './sweep.js';

/** Hex digits that digests begin with: blobs are looked at in so many parts, so that no list of all of them is ever held. */
const SHARDS = '0123456789abcdef';

/** A record in the store: of which database it is. */
const OWNER = 'owner';

/** Deletes what nobody needs: manifests first, then abandoned uploads, then blobs, and last the notes on builds that are gone. */
@Injectable()
export class CollectorService extends Collector implements OnApplicationBootstrap {
  constructor(
    private readonly storage: BlobStorage,
    private readonly repositories: RepositoryHoldingsRepository,
  ) {
    super();
  }

  /** Nothing of the start waits for it; `collect` does so again. */
  onApplicationBootstrap(): void {
    this.check().catch(() => {});
  }

  async check(): Promise<void> {
    const platform = await this.repositories.platform();
    await this.storage.putRecord(OWNER, platform);
    const owner = await this.storage.findRecord(OWNER);
    if (owner !== platform) throw new WhorlError('REGISTRY_STORE_FOREIGN', `the store belongs to the platform ${owner}, this is ${platform}`);
  }

  async collect(order: CollectOrder, signal: AbortSignal): Promise<CollectedBytes> {
    await this.check();
    const sinceMs = Date.now() - order.graceMs;
    const loose = await this.collectManifests(order, signal);
    const report = { ...emptyReport(), manifests: loose.length, uploads: await this.collectUploads(order, sinceMs, signal) };
    const sweep = new Sweep({ storage: this.storage, sinceMs, dryRun: order.dryRun, ofManifests: new Set(loose.flatMap(({ digest, named }) => [digest, ...named])) }, report);
    for (const prefix of SHARDS) {
      signal.throwIfAborted();
      // What is held is read before what is there: a version of a moment ago has bytes that are new or were touched.
      const holdings = await order.holdings(prefix);
      const held = await this.repositories.held(prefix, order.dryRun ? loose : [], order.graceMs);
      const deleted = await sweep.run(prefix, (digest) => (held.has(digest) ? 'held' : holdings.get(digest)), signal);
      if (deleted.length > 0) await this.repositories.unlink(deleted);
    }
    if (!order.dryRun) await new BuildRecords(this.storage).tidy(order, sinceMs, signal);
    return report;
  }

  private async collectManifests({ dryRun, graceMs, untaggedMs, images }: CollectOrder, signal: AbortSignal): Promise<LooseManifest[]> {
    const policy = { untaggedMs: Math.max(untaggedMs, graceMs), images };
    const loose: LooseManifest[] = [];
    for (const id of await this.repositories.repositories()) {
      signal.throwIfAborted();
      loose.push(...(dryRun ? await this.repositories.loose(id, policy) : await this.repositories.removeLoose(id, policy)));
      if (!dryRun) await this.repositories.unlinkLoose(id, graceMs);
    }
    return loose;
  }

  private async collectUploads({ dryRun, graceMs, liveUploads }: CollectOrder, sinceMs: number, signal: AbortSignal): Promise<Amount> {
    const collected = { count: 0, bytes: 0 };
    if (!dryRun) await this.repositories.removeOldUploads(graceMs);
    const live = await this.repositories.liveUploads(graceMs);
    for await (const { id, bytes, modifiedMs } of this.storage.listUploads()) {
      signal.throwIfAborted();
      if (modifiedMs > sinceMs || live.has(id) || liveUploads.has(uploadOf(id) ?? '')) continue;
      collected.count++;
      collected.bytes += bytes;
      if (!dryRun) await this.storage.dropUpload(id);
    }
    if (!dryRun) await this.storage.sweep(sinceMs);
    return collected;
  }
}
