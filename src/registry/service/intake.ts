import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ComponentBuild } from '#contract/artifact.js';
import type { BundleContent } from '#contract/bundle/component-files.js';
import { lockApp } from '#contract/bundle/lock.js';
import { allDependencies } from '#contract/bundle/locked-dependency.js';
import type { RemoteSource } from '#contract/bundle/lock-sources.js';
import type { LockedApp, LockedComponent, LockedTrigger } from '#contract/bundle/locked-app.js';
import { parseManifest } from '#contract/bundle/manifest.js';
import { formatProblem } from '#contract/bundle/problems.js';
import { contentPath } from '#contract/bundle/unpack.js';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import type { IngestedBundle } from '#contract/registry.js';
import type { Place } from '#registry/artifact/place.js';
import type { BlobStat, BlobStorage } from '#registry/storage/blob-storage.js';
import { verify } from '#registry/storage/verify.js';
import { buildRefusal, checkHandlers, checkImports, checkMemory } from './component-checks.js';
import type { BuildRecord, ComponentBuilder } from './component-builder.js';
import { compositionDigest, dependencyOrders, sourcesOf } from './composed-source.js';
import { eachAtOnce } from '#platform/each-at-once.js';
import type { SourceClient } from './source-client.js';

/** Files of one push that are stored at the same time. */
const STORES_AT_ONCE = 16;

/** One push, or one rebuild. */
export interface Push {
  /** Of its own (see work-folder.ts). */
  folder: string;
  /** Where the bytes lie; grows as more of them are fetched. */
  located: Map<Digest, Place>;
  signal: AbortSignal;
}

export interface IntakeParts {
  storage: BlobStorage;
  builder: ComponentBuilder;
  sources: SourceClient;
}

/**
 * Takes in what was pushed, in whatever way it came, once it is known where its bytes lie: lock, fetch what the manifest names by URL,
 * build each component, store. Until the last step is done only blobs and build records exist, which mean nothing by themselves.
 */
export class Intake {
  constructor(private readonly parts: IntakeParts) {}

  /**
   * Takes in the text of a spin.toml and the files beside it; the bytes of every file must be located. Throws what `Registry.ingest`
   * throws.
   */
  async takeManifest(text: string, files: BundleContent, push: Push): Promise<Pick<IngestedBundle, 'manifest' | 'app' | 'builds' | 'warnings'>> {
    const { app, remoteSources, warnings } = lockApp(parseManifest(text), files);
    await this.fetchSources(remoteSources, push);
    for (const component of app.components.flatMap((each) => [each, ...allDependencies(each.dependencies)])) component.sourceBytes = push.located.get(component.source)!.bytes;
    const builds = await this.takeApp(app, push);
    return { manifest: text, app, builds, warnings: warnings.map((warning) => `spin.toml ${formatProblem(warning)}`) };
  }

  /** Builds and stores a locked app; all that it names must be located. */
  async takeApp(app: LockedApp, push: Push): Promise<Record<string, ComponentBuild>> {
    const builds = await this.buildAll(app, push);
    await this.storeAll(app, push);
    return builds;
  }

  /** Builds the components of a locked app from what is in the store, one after the other: pushes come first. */
  async rebuild(app: LockedApp, push: Push): Promise<Record<string, ComponentBuild>> {
    const builds: Record<string, ComponentBuild> = {};
    for (const component of app.components) {
      for (const { digest, bytes } of sourcesOf(component)) if (!push.located.has(digest)) push.located.set(digest, { bytes });
      await this.bringSources(component, push);
      builds[component.id] = await this.build(component, app.triggers, push);
    }
    return builds;
  }

  /** Those that the store has already are taken from there. */
  private async fetchSources(sources: RemoteSource[], push: Push): Promise<void> {
    for (const { url, digest } of sources) {
      if (push.located.has(digest)) continue;
      const stored = await this.parts.storage.touch(digest);
      if (stored) {
        push.located.set(digest, { bytes: stored.bytes });
        continue;
      }
      const path = await remotePath(push, digest);
      const { bytes } = await this.parts.sources.fetch(url, digest, path, push.signal);
      push.located.set(digest, { bytes, path });
    }
  }

  /** Fetches the bytes that a component is built from out of the store, where they lie there. */
  private async bringSources(component: LockedComponent, push: Push): Promise<void> {
    for (const { digest } of sourcesOf(component)) {
      const { bytes, path } = push.located.get(digest)!;
      if (path !== undefined) continue;
      const copy = await remotePath(push, digest);
      const { content } = await this.parts.storage.get(digest);
      await pipeline(verify({ digest, bytes }, content), createWriteStream(copy), { signal: push.signal });
      push.located.set(digest, { bytes, path: copy });
    }
  }

  /** Components with the same bytes are built once, since a build waits for the one before it. */
  private async buildAll(app: LockedApp, push: Push): Promise<Record<string, ComponentBuild>> {
    for (const component of app.components) await this.bringSources(component, push);
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
    const pathOf = (digest: Digest): string => located.get(digest)!.path!;
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

  /** What lies in the store already is put all the same, so that it counts as used from now on. */
  private async storeAll(app: LockedApp, { located, signal }: Push): Promise<void> {
    const blobs = new Map<Digest, BlobStat>();
    for (const component of app.components) {
      for (const source of sourcesOf(component)) blobs.set(source.digest, source);
      for (const { digest, bytes } of component.files) blobs.set(digest, { digest, bytes });
    }
    await eachAtOnce(STORES_AT_ONCE, blobs.values(), async (blob) => {
      signal.throwIfAborted();
      const { path } = located.get(blob.digest)!;
      await this.parts.storage.put(blob, () => (path === undefined ? this.read(blob.digest) : createReadStream(path)));
    });
  }

  /** Throws REGISTRY_BLOB_UNKNOWN at the first byte: it was deleted meanwhile. */
  private async *read(digest: Digest): AsyncGenerator<Uint8Array> {
    yield* (await this.parts.storage.get(digest)).content as AsyncIterable<Uint8Array>;
  }
}

async function remotePath({ folder }: Push, digest: Digest): Promise<string> {
  await mkdir(join(folder, 'remote'), { recursive: true });
  return contentPath(join(folder, 'remote'), digest);
}
