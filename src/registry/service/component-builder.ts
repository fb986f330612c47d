import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ComponentBuild } from '#contract/artifact.js';
import type { Digest } from '#contract/ids.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import type { BlobStat, BlobStorage } from '#registry/storage/blob-storage.js';
import type { BuildPool } from './build-pool.js';
import { type BuildFailure, type BuildInput, type BuildSuccess, PLAN_FILE, moduleFile } from './build-report.js';

/** What is kept of a build, under `builds/<engine>/<64 hex of the component>`. */
const BuildRecord = z.object({ built: ComponentBuild.required({ facts: true }) });
export type BuildRecord = z.infer<typeof BuildRecord>;

export interface ComponentOrder {
  /** Names the build; see compositionDigest. */
  component: Digest;
  input: BuildInput;
  /** For what is made on the way; removed. */
  folder: string;
  /** Throws when the app cannot use what was built; called before anything of it is kept. */
  check(record: BuildRecord): void;
}

/** Builds each component once for an engine version, whoever pushes it. */
export class ComponentBuilder {
  /** The last build of a component in this process: the next one waits for it and finds its record. */
  private readonly inTurn = new Map<Digest, Promise<unknown>>();

  constructor(private readonly storage: BlobStorage, private readonly pool: BuildPool) {}

  /** What was built of a component, now or before; or why it is refused. Throws what `check` throws: then nothing of it is kept. */
  async build(order: ComponentOrder, signal: AbortSignal): Promise<BuildRecord | BuildFailure> {
    const before = this.inTurn.get(order.component);
    const turn = (async () => {
      await before?.catch(() => {});
      const found = await this.findRecord(order.component);
      if (!found) return this.buildNow(order, signal);
      order.check(found);
      return found;
    })();
    this.inTurn.set(order.component, turn);
    try {
      return await turn;
    } finally {
      if (this.inTurn.get(order.component) === turn) this.inTurn.delete(order.component);
    }
  }

  private async buildNow({ component, input, folder, check }: ComponentOrder, signal: AbortSignal): Promise<BuildRecord | BuildFailure> {
    try {
      const report = await this.pool.build(input, folder, signal);
      if (!report.ok) return report;
      const record = toRecord(component, report);
      check(record);
      await this.store(record, report, folder);
      return record;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The record comes last: where it is, so is everything it names. */
  private async store(record: BuildRecord, report: BuildSuccess, folder: string): Promise<void> {
    const put = (blob: BlobStat, file: string) => this.storage.put(blob, () => createReadStream(join(folder, file)));
    await Promise.all([put(report.plan, PLAN_FILE), ...report.modules.map((module, i) => put(module, moduleFile(i)))]);
    await this.storage.putRecord(recordName(record.built.component), JSON.stringify(record));
  }

  /** Only with all that it names, which stays then: a collector may have taken the results of builds that no version held. */
  private async findRecord(component: Digest): Promise<BuildRecord | undefined> {
    const text = await this.storage.findRecord(recordName(component));
    if (text === undefined) return undefined;
    const { success, data } = BuildRecord.safeParse(JSON.parse(text));
    // Of a release that noted less: built once more.
    if (success && (await this.areThere([data.built.plan, ...data.built.modules]))) return data;
    await this.storage.deleteRecord(recordName(component));
    return undefined;
  }

  private async areThere(digests: readonly Digest[]): Promise<boolean> {
    for (const digest of digests) if (!(await this.storage.touch(digest))) return false;
    return true;
  }
}

function toRecord(component: Digest, { plan, modules, handlers, imports, exports, dependencies, componentized, facts }: BuildSuccess): BuildRecord {
  return {
    built: {
      engine: ENGINE_VERSION, component, plan: plan.digest, modules: modules.map(({ digest }) => digest), handlers, imports, exports,
      ...(dependencies.length > 0 && { dependencies }), componentized, facts,
    },
  };
}

const recordName = (component: Digest): string => `builds/${ENGINE_VERSION}/${component.slice('sha256:'.length)}`;
