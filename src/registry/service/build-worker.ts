import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildFacts } from '#contract/artifact.js';
import { Digest } from '#contract/ids.js';
import { PAGE_BYTES, type Plan, resetModeOf } from '#engine/plan.js';
import { buildComponent } from '#engine/build/build-component.js';
import type { ComponentDependency } from '#engine/build/compose/composition.js';
import { BuildError } from '#engine/build/build-error.js';
import type { BlobStat } from '#registry/storage/blob-storage.js';
import { BuildOrder, type BuildReport, type DependencyOrder, PLAN_FILE, REPORT_FILE, moduleFile } from './build-report.js';

/**
 * A process that builds components, one at a time: what it reads comes from strangers, so it has no secrets, bounded memory and time,
 * and may be killed at any moment. Forked by BuildProcess.
 */

/** No cap here beyond that of 32-bit memories: each node lowers the maximum to the limit that applies there. */
const MEMORY_CAP_BYTES = 65536 * PAGE_BYTES;

async function build({ source, dependencies: ordered, folder }: BuildOrder): Promise<BuildReport> {
  const beganMs = performance.now();
  try {
    const files = new SourceFiles();
    const built = await buildComponent(await files.read(source), { memoryCapBytes: MEMORY_CAP_BYTES, dependencies: await files.dependencies(ordered) });
    const plan = Buffer.from(JSON.stringify(built.plan));
    await writeFile(join(folder, PLAN_FILE), plan);
    for (const [i, module] of built.modules.entries()) await writeFile(join(folder, moduleFile(i)), module);
    const { imports, exports, dependencies, handlers, componentized } = built;
    return {
      ok: true, plan: stat(plan), modules: built.modules.map(stat), imports, exports, dependencies, handlers, componentized,
      facts: { ...factsOf(built.plan), buildMs: Math.round(performance.now() - beganMs) },
    };
  } catch (error) {
    if (error instanceof BuildError) return { ok: false, kind: error.kind, message: error.message };
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    return { ok: false, kind: 'internal', message, stack };
  }
}

/** Reads each file once, however many dependencies are made of it. */
class SourceFiles {
  private readonly files = new Map<string, Promise<Uint8Array>>();

  read(path: string): Promise<Uint8Array> {
    let file = this.files.get(path);
    if (file === undefined) this.files.set(path, (file = readFile(path)));
    return file;
  }

  dependencies(orders: readonly DependencyOrder[]): Promise<ComponentDependency[]> {
    return Promise.all(orders.map(async ({ source, dependencies, ...rest }) => ({
      ...rest, bytes: await this.read(source), dependencies: await this.dependencies(dependencies),
    })));
  }
}

function stat(content: Uint8Array): BlobStat {
  return { digest: Digest.parse(`sha256:${createHash('sha256').update(content).digest('hex')}`), bytes: content.length };
}

function factsOf(plan: Plan): Omit<BuildFacts, 'buildMs'> {
  const memories = plan.steps.flatMap(({ module }) => plan.modules[module]?.memory ?? []);
  const bytesOf = (pages: number[]): number => pages.reduce((sum, each) => sum + each, 0) * PAGE_BYTES;
  return {
    reset: resetModeOf(plan),
    memory: { initialBytes: bytesOf(memories.map(({ minPages }) => minPages)), maximumBytes: bytesOf(memories.map(({ maxPages }) => maxPages)) },
  };
}

process.on('message', (message) => {
  const order = BuildOrder.parse(message);
  void build(order)
    .then((report) => writeFile(join(order.folder, REPORT_FILE), JSON.stringify(report)))
    // A folder that is gone means that nobody waits for the result any more.
    .then(() => process.send?.({ done: order.order }), () => process.exit(1));
});
process.on('disconnect', () => process.exit(0));
