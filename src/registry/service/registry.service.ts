import { isUtf8 } from 'node:buffer';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ComponentBuild } from '#contract/artifact.js';
import { type BundleLimits, MANIFEST_MAX_BYTES, MANIFEST_NAME } from '#contract/bundle/limits.js';
import { lockApp } from '#contract/bundle/lock.js';
import { allDependencies } from '#contract/bundle/locked-dependency.js';
import type { RemoteSource } from '#contract/bundle/lock-sources.js';
import type { LockedApp, LockedComponent, LockedTrigger } from '#contract/bundle/locked-app.js';
import { parseManifest } from '#contract/bundle/manifest.js';
import { type UnpackedBundle, contentPath, unpackBundle } from '#contract/bundle/unpack.js';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { type IngestedBundle, Registry } from '#contract/registry.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import type { BlobStat, BlobStorage } from '#registry/storage/blob-storage.js';
import { buildRefusal, checkHandlers, checkImports, checkMemory } from './component-checks.js';
import type { BuildRecord, ComponentBuilder } from './component-builder.js';
import { compositionDigest, dependencyOrders, sourcesOf } from './composed-source.js';
import { eachAtOnce } from './each-at-once.js';
import type { SourceClient } from './source-client.js';
import type { WorkFolder } from './work-folder.js';

export interface RegistryParts {
  storage: BlobStorage;
  work: WorkFolder;
  builder: ComponentBuilder;
  sources: SourceClient;
  limits: BundleLimits;
}

/** Files of one push that are stored at the same time. */
const STORES_AT_ONCE = 16;

/** Where the bytes of a digest lie during a push. */
type Located = Map<Digest, { bytes: number; path: string }>;

/**
 * Takes bundles in: unpack, read the manifest, lock, fetch what it names by URL, build each component, store. Until the last step is
 * done only blobs and build records exist, which mean nothing by themselves.
 */
export class RegistryService extends Registry {
  readonly engine = ENGINE_VERSION;

  constructor(private readonly parts: RegistryParts) {
    super();
  }

  async ingest(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<IngestedBundle> {
    return this.parts.work.with(async (folder) => {
      const unpacked = await unpackBundle(body, join(folder, 'bundle'), this.parts.limits, signal);
      const text = await readManifest(unpacked, join(folder, 'bundle'));
      const { app, remoteSources, warnings } = lockApp(parseManifest(text), unpacked);
      const located = locate(unpacked, join(folder, 'bundle'));
      await this.fetchSources(remoteSources, { folder, located, signal });
      for (const component of app.components.flatMap((each) => [each, ...allDependencies(each.dependencies)])) component.sourceBytes = located.get(component.source)!.bytes;
      const builds = await this.buildAll(app, { folder, located, signal });
      await this.storeAll(app, located, signal);
      return {
        digest: unpacked.digest, bytes: unpacked.bytes, manifest: text, app, builds,
        warnings: warnings.map(({ line, path, message }) => `spin.toml line ${line}${path && `, ${path}`}: ${message}`),
      };
    });
  }

  /** One component after the other: pushes come first. */
  async rebuild(app: LockedApp, signal: AbortSignal): Promise<Record<string, ComponentBuild>> {
    return this.parts.work.with(async (folder) => {
      const located: Located = new Map();
      const builds: Record<string, ComponentBuild> = {};
      await mkdir(join(folder, 'remote'));
      for (const component of app.components) {
        await this.locateStored(component, { folder, located, signal });
        builds[component.id] = await this.build(component, app.triggers, { folder, located, signal });
      }
      return builds;
    });
  }

  async check(): Promise<void> {
    await this.parts.storage.check();
  }

  /** Those that the store has already are taken from there. */
  private async fetchSources(sources: RemoteSource[], push: Push): Promise<void> {
    if (sources.length === 0) return;
    await mkdir(join(push.folder, 'remote'));
    for (const { url, digest } of sources) {
      if (push.located.has(digest)) continue;
      const path = contentPath(join(push.folder, 'remote'), digest);
      const stored = await this.parts.storage.find(digest);
      if (stored) await this.copyStored(digest, path, push.signal);
      const { bytes } = stored ?? (await this.parts.sources.fetch(url, digest, path, push.signal));
      push.located.set(digest, { bytes, path });
    }
  }

  /** Fetches the bytes that a component is built from out of the store. */
  private async locateStored(component: LockedComponent, { folder, located, signal }: Push): Promise<void> {
    for (const { digest, bytes } of sourcesOf(component)) {
      if (located.has(digest)) continue;
      const path = contentPath(join(folder, 'remote'), digest);
      await this.copyStored(digest, path, signal);
      located.set(digest, { bytes, path });
    }
  }

  private async copyStored(digest: Digest, path: string, signal: AbortSignal): Promise<void> {
    const { content } = await this.parts.storage.get(digest);
    await pipeline(content, createWriteStream(path), { signal });
  }

  /** Components with the same bytes are built once, since a build waits for the one before it. */
  private async buildAll(app: LockedApp, push: Push): Promise<Record<string, ComponentBuild>> {
    // One that is refused ends the builds of the others.
    const failed = new AbortController();
    const signal = AbortSignal.any([push.signal, failed.signal]);
    const builds = await Promise.allSettled(app.components.map(async (component) => {
      try {
        return [component.id, await this.build(component, app.triggers, { ...push, signal })] as const;
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }));
    // The first failure is the cause; the others were ended by it.
    signal.throwIfAborted();
    return Object.fromEntries(builds.flatMap((build) => (build.status === 'fulfilled' ? [build.value] : [])));
  }

  private async build(component: LockedComponent, triggers: LockedTrigger[], { folder, located, signal }: Push): Promise<ComponentBuild> {
    const { id, source, dependencies } = component;
    const pathOf = (digest: Digest): string => located.get(digest)!.path;
    const check = ({ built }: BuildRecord): void => {
      checkImports(id, built);
      checkMemory(component, built.facts.memory.initialBytes);
      checkHandlers(id, triggers, built);
    };
    const order = {
      component: compositionDigest(component), input: { source: pathOf(source), dependencies: dependencyOrders(dependencies, pathOf) },
      folder: join(folder, `build-${id}`), check,
    };
    const built = await this.parts.builder.build(order, signal).catch((error: unknown) => {
      // Limits and dead workers know of no component.
      if (error instanceof WhorlError && error.code.startsWith('REGISTRY_BUILD_')) throw new WhorlError(error.code, `component "${id}": ${error.message}`, { cause: error.cause ?? error });
      throw error;
    });
    if ('ok' in built) throw buildRefusal(id, built);
    return built.built;
  }

  private async storeAll(app: LockedApp, located: Located, signal: AbortSignal): Promise<void> {
    const blobs = new Map<Digest, BlobStat>();
    for (const component of app.components) {
      for (const source of sourcesOf(component)) blobs.set(source.digest, source);
      for (const { digest, bytes } of component.files) blobs.set(digest, { digest, bytes });
    }
    await eachAtOnce(STORES_AT_ONCE, blobs.values(), async (blob) => {
      signal.throwIfAborted();
      await this.parts.storage.put(blob, () => createReadStream(located.get(blob.digest)!.path));
    });
  }
}

interface Push {
  folder: string;
  located: Located;
  signal: AbortSignal;
}

function locate({ entries }: UnpackedBundle, directory: string): Located {
  return new Map([...entries.values()].map(({ digest, bytes }) => [digest, { bytes, path: contentPath(directory, digest) }]));
}

async function readManifest({ entries }: UnpackedBundle, directory: string): Promise<string> {
  const { digest, bytes } = entries.get(MANIFEST_NAME)!;
  if (bytes > MANIFEST_MAX_BYTES) throw new WhorlError('BUNDLE_TOO_LARGE', `${MANIFEST_NAME} has ${bytes} bytes, more than the ${MANIFEST_MAX_BYTES} a manifest may have`);
  const content = await readFile(contentPath(directory, digest));
  if (!isUtf8(content)) throw new WhorlError('BUNDLE_MANIFEST_SYNTAX', `${MANIFEST_NAME} is not UTF-8`);
  return content.toString('utf8');
}
