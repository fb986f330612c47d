import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BuiltComponent } from '#contract/artifact.js';
import type { Digest } from '#contract/ids.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import type { BlobStat, BlobStorage } from '#registry/storage/blob-storage.js';
import type { BuildPool } from './build-pool.js';
import { type BuildFailure, type BuildSuccess, PLAN_FILE, moduleFile } from './build-report.js';

/** What is kept of a build, under `builds/<engine>/<64 hex of the component>`. */
const BuildRecord = z.object({ built: BuiltComponent, initialMemoryBytes: z.int().nonnegative() });
export type BuildRecord = z.infer<typeof BuildRecord>;

/** Builds each component once for an engine version, whoever pushes it. */
export class ComponentBuilder {
  /** The last build of a component in this process: the next one waits for it and finds its record. */
  private readonly inTurn = new Map<Digest, Promise<unknown>>();

  constructor(private readonly storage: BlobStorage, private readonly pool: BuildPool) {}

  /**
   * What was built of a component, now or before; or why it is refused.
   * @param source file with the component's bytes
   * @param folder for what is made on the way; removed
   */
  async build(component: Digest, source: string, folder: string, signal: AbortSignal): Promise<BuildRecord | BuildFailure> {
    const before = this.inTurn.get(component);
    const turn = (async () => {
      await before?.catch(() => {});
      return (await this.findRecord(component)) ?? this.buildNow(component, source, folder, signal);
    })();
    this.inTurn.set(component, turn);
    try {
      return await turn;
    } finally {
      if (this.inTurn.get(component) === turn) this.inTurn.delete(component);
    }
  }

  private async buildNow(component: Digest, source: string, folder: string, signal: AbortSignal): Promise<BuildRecord | BuildFailure> {
    try {
      const report = await this.pool.build(source, folder, signal);
      return report.ok ? await this.store(component, report, folder) : report;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The record comes last: where it is, so is everything it names. */
  private async store(component: Digest, report: BuildSuccess, folder: string): Promise<BuildRecord> {
    const put = (blob: BlobStat, file: string) => this.storage.put(blob, () => createReadStream(join(folder, file)));
    await Promise.all([put(report.plan, PLAN_FILE), ...report.modules.map((module, i) => put(module, moduleFile(i)))]);
    const { handlers, imports, exports, componentized, initialMemoryBytes } = report;
    const record: BuildRecord = {
      built: { engine: ENGINE_VERSION, component, plan: report.plan.digest, modules: report.modules.map(({ digest }) => digest), handlers, imports, exports, componentized },
      initialMemoryBytes,
    };
    await this.storage.putRecord(recordName(component), JSON.stringify(record));
    return record;
  }

  private async findRecord(component: Digest): Promise<BuildRecord | undefined> {
    const text = await this.storage.findRecord(recordName(component));
    return text === undefined ? undefined : BuildRecord.parse(JSON.parse(text));
  }
}

const recordName = (component: Digest): string => `builds/${ENGINE_VERSION}/${component.slice('sha256:'.length)}`;
