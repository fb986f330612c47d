import { z } from 'zod';
import type { CollectOrder } from '#contract/collection.js';
import { Digest } from '#contract/ids.js';
import { eachAtOnce } from '#platform/each-at-once.js';
import type { BlobStorage } from '#registry/storage/blob-storage.js';

const FOLDER = 'builds/';
const LOOKS_AT_ONCE = 16;
const Named = z.object({ built: z.object({ plan: Digest }) });

/** Notes on what was built of components (see component-builder.ts); one whose results are gone only costs a look at the next push. */
export class BuildRecords {
  constructor(private readonly storage: BlobStorage) {}

  /** Deletes those of engines that no node asks for, and those whose results are gone. */
  async tidy({ isEngineKept }: Pick<CollectOrder, 'isEngineKept'>, sinceMs: number, signal: AbortSignal): Promise<void> {
    const old: string[] = [];
    for await (const { name, modifiedMs } of this.storage.listRecords(FOLDER)) if (modifiedMs <= sinceMs) old.push(name);
    await eachAtOnce(LOOKS_AT_ONCE, old, async (name) => {
      signal.throwIfAborted();
      const engine = name.slice(FOLDER.length).split('/', 1)[0]!;
      if (!isEngineKept(engine) || !(await this.hasResults(name))) await this.storage.deleteRecord(name);
    });
  }

  private async hasResults(name: string): Promise<boolean> {
    const named = Named.safeParse(JSON.parse((await this.storage.findRecord(name)) ?? 'null'));
    return named.success && (await this.storage.find(named.data.built.plan)) !== undefined;
  }
}
