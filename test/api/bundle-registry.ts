import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type DynamicModule, Module } from '@nestjs/common';
import type { ComponentBuild } from '#contract/artifact.js';
import { LockedApp } from '#contract/bundle/locked-app.js';
import { Collector } from '#contract/collection.js';
import { WhorlError } from '#contract/errors.js';
import { FileUploads } from '#contract/file-uploads.js';
import type { Digest } from '#contract/ids.js';
import { type ImageOptions, type IngestedBundle, type IngestedImage, type PushedTag, Registry } from '#contract/registry.js';
import { type HeldBytes, StorageQuota } from '#contract/storage-quota.js';

const EMPTY = { version: '', description: '', authors: [], variables: {}, triggers: [], components: [] };

/** A bundle as this registry reads it: gzip of a locked app's JSON. `seed` makes other bytes of the same app. */
export function makeBundle(app: Partial<LockedApp> & { seed?: string } = {}): Buffer<ArrayBuffer> {
  return gzipSync(JSON.stringify({ name: 'test', ...EMPTY, ...app })) as Buffer<ArrayBuffer>;
}

/** A locked app with one component on `/...`, and the given variables. */
export function makeApp(variables: LockedApp['variables'] = {}): Partial<LockedApp> {
  const source = `sha256:${'a'.repeat(64)}` as Digest;
  return {
    variables,
    triggers: [{ type: 'http', id: 'web', route: '/...', component: 'web', executor: { type: 'http' } }],
    components: [
      {
        id: 'web', source, sourceBytes: 8, environment: {}, files: [], variables: {}, allowedOutboundHosts: [], keyValueStores: [], sqliteDatabases: [],
        aiModels: [], limits: {},
      },
    ],
  };
}

/**
 * The API's side of the registry, kept in memory: real streams, digests, compression and schemas; no Wasm, so that these tests are
 * about the API alone.
 */
export class BundleRegistry extends Registry {
  /** Set by a test: the artifact store is gone. */
  down = false;
  /** Largest number of bytes that were held before they were read. */
  received = 0;
  aborted = 0;
  /** Of the engine that it builds for; a control plane that starts later may have another. */
  engine = '3';
  /** Rebuilds fail with it, by component id. */
  readonly broken = new Map<string, WhorlError>();
  /** Names of the components that were rebuilt, in order. */
  readonly rebuilt: string[] = [];

  async ingest(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<IngestedBundle> {
    const hash = createHash('sha256');
    const chunks: Uint8Array[] = [];
    const onAbort = (): void => void this.aborted++;
    signal.addEventListener('abort', onAbort);
    try {
      for await (const chunk of body) {
        if (this.received + chunk.length > 64 * 1024 * 1024) throw new WhorlError('API_BODY_TOO_LARGE', 'the bundle has more than 64 MiB');
        this.received += chunk.length;
        hash.update(chunk);
        chunks.push(chunk);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.received = 0;
    }
    if (this.down) throw new WhorlError('API_OVERLOADED', 'the artifact store cannot be reached');
    const bytes = Buffer.concat(chunks);
    const digest = `sha256:${hash.digest('hex')}` as Digest;
    const app = parse(bytes);
    return { digest, bytes: bytes.length, manifest: 'spin_manifest_version = 2\n', app, builds: this.buildsOf(app) };
  }

  /** Images by reference, each the bytes of a bundle; the built-in registry's have no host. */
  readonly images = new Map<string, Buffer>();

  /** Called while an image is taken in. */
  whileTaking: (() => Promise<void>) | undefined;

  async ingestImage(reference: string, { hosts }: ImageOptions, signal: AbortSignal): Promise<IngestedImage> {
    const host = hosts.find((each) => reference.startsWith(`${each}/`));
    const asked = host === undefined ? reference : reference.slice(host.length + 1);
    const bundle = this.images.get(asked);
    if (!bundle) throw new WhorlError('REGISTRY_IMAGE_UNKNOWN', `there is no image ${asked}`);
    const taken = await this.ingest(Readable.from([bundle]), signal);
    const meanwhile = this.whileTaking;
    this.whileTaking = undefined;
    await meanwhile?.();
    return { ...taken, image: { reference: asked, digest: taken.digest } };
  }

  /** Tags by app. */
  readonly tags = new Map<string, PushedTag>();
  private readonly listeners = new Set<(app: string) => void>();

  async pushedTags(since: Date, app?: string): Promise<PushedTag[]> {
    return [...this.tags.values()].filter((tag) => tag.pushedAt > since && (app === undefined || tag.app === app)).sort((a, b) => a.pushedAt.getTime() - b.pushedAt.getTime());
  }

  onTagPush(listener: (app: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Pushes an image under a tag of an app's repository; `tell: false`: the process ends before it tells of it. */
  pushTag(app: string, tag: string, bundle: Buffer, { tell = true, pushedAt = new Date() }: { tell?: boolean; pushedAt?: Date } = {}): void {
    const digest = `sha256:${createHash('sha256').update(bundle).digest('hex')}` as Digest;
    this.images.set(`${app}:${tag}`, bundle).set(`${app}@${digest}`, bundle).set(`${app}:${tag}@${digest}`, bundle);
    this.tags.set(`${app}:${tag}`, { app, tag, digest, pushedAt });
    if (tell) for (const listener of this.listeners) listener(app);
  }

  async rebuild(app: LockedApp): Promise<Record<string, ComponentBuild>> {
    for (const { id } of app.components) {
      this.rebuilt.push(id);
      if (this.broken.has(id)) throw this.broken.get(id)!;
    }
    return this.buildsOf(app);
  }

  private buildsOf(app: LockedApp): Record<string, ComponentBuild> {
    const digest = `sha256:${this.engine.padStart(64, '0')}` as Digest;
    return Object.fromEntries(app.components.map((component) => [component.id, {
      engine: this.engine, component: component.source, plan: digest, modules: [digest], handlers: ['wasi-http-0.2'],
      imports: ['wasi:http/types@0.2.3'], exports: ['wasi:http/incoming-handler@0.2.3'], componentized: false,
      facts: { reset: { mode: 'in-place', cards: true }, memory: { initialBytes: 65536, maximumBytes: 131072 }, buildMs: 3 },
    }]));
  }

  /** Set by a test: apps that need a signature, and whether the policy only warns. */
  readonly signed = new Map<string, 'warn' | 'enforce'>();

  async checkUnsigned(app: string): Promise<string | undefined> {
    if (this.signed.get(app) === 'enforce') throw new WhorlError('REGISTRY_SIGNATURE_MISSING', `${app} needs a signature`);
    return this.signed.has(app) ? `${app} should have a signature` : undefined;
  }

  async check(): Promise<void> {
    if (this.down) throw new Error('down');
  }
}

function parse(bytes: Buffer): LockedApp {
  try {
    const { seed: _seed, ...app } = JSON.parse(gunzipSync(bytes).toString()) as { seed?: string };
    return LockedApp.parse(app);
  } catch (error) {
    throw new WhorlError('API_BODY_MALFORMED', 'the bundle is not gzip, or not a locked app', { cause: error });
  }
}

class UnboundedStorage extends StorageQuota {
  readonly limitBytes = null;

  async held(): Promise<HeldBytes> {
    return { versions: 0, repositories: 0, uploads: 0, total: 0 };
  }

  async require(): Promise<void> {}
}

/** A module around one registry, as the composition root binds the real one. */
export function bundleRegistryModule(registry: BundleRegistry): DynamicModule {
  @Module({})
  class BundleRegistryModule {}
  return { module: BundleRegistryModule, providers: [
    { provide: Registry, useValue: registry },
    // Nothing of a bundle is kept here that could be sent by digest or collected: both are tested with the real registry.
    { provide: Collector, useValue: {} },
    { provide: FileUploads, useValue: {} },
    { provide: StorageQuota, useValue: new UnboundedStorage() },
  ], exports: [Registry, Collector, FileUploads, StorageQuota] };
}
