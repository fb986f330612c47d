import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sweepLeftovers, unfinishedName } from '#registry/storage/leftovers.js';

/**
 *   <root>
 *   └── <host>-<pid>-<random>     one push, or one rebuild
 *       ├── bundle/               its files, by digest (see contract/bundle/unpack.ts)
 *       ├── remote/<64 hex>       sources fetched by URL, or from the store
 *       └── build-<component id>/ result of one build (see build-report.ts)
 */
export class WorkFolder {
  private constructor(readonly root: string) {}

  /** Makes the root and removes what a crash left. */
  static async open(root: string): Promise<WorkFolder> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await sweepLeftovers(root, Date.now());
    return new WorkFolder(root);
  }

  /** Runs an action with a fresh folder that is gone afterwards, whatever happens. */
  async with<T>(action: (folder: string) => Promise<T>): Promise<T> {
    const folder = join(this.root, unfinishedName());
    await mkdir(folder);
    try {
      return await action(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
