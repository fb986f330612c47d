import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_BUNDLE_LIMITS, type BundleLimits } from '#contract/bundle/limits.js';
import { type PackEntry, packBundle } from '#contract/bundle/pack.js';
import { BuildPool, type BuildPoolOptions } from '#registry/service/build-pool.js';
import { ComponentBuilder } from '#registry/service/component-builder.js';
import { Intake } from '#registry/service/intake.js';
import { RegistryService } from '#registry/service/registry.service.js';
import { SourceClient, type SourceClientOptions } from '#registry/service/source-client.js';
import { WorkFolder } from '#registry/service/work-folder.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { FolderDriver } from '#registry/storage/folder.driver.js';

/** Build workers run compiled code: `npm test` builds before it tests. */
export const WORKER_PATH = join(import.meta.dirname, '../../dist/registry/service/build-worker.js');
if (!existsSync(WORKER_PATH)) throw new Error('run `npm run build` first: build workers run compiled code');

export interface RegistryUnderTest {
  registry: RegistryService;
  storage: BlobStorage;
  pool: BuildPool;
  root: string;
  /** What pushes have left in the folder for work: nothing, when none runs. */
  leftovers(): Promise<string[]>;
  /** Digests of all blobs kept. */
  blobs(): Promise<string[]>;
  close(): Promise<void>;
}

export interface RegistryTestOptions {
  pool?: Partial<BuildPoolOptions>;
  limits?: Partial<BundleLimits>;
  sources?: Partial<SourceClientOptions>;
}

/** A registry over a real folder, with real build workers. */
export async function openRegistry({ pool: poolOptions, limits, sources: sourceOptions }: RegistryTestOptions = {}): Promise<RegistryUnderTest> {
  const root = await mkdtemp(join(tmpdir(), 'whorl-registry-'));
  const storage = new BlobStorage(await FolderDriver.open(join(root, 'store')));
  const work = await WorkFolder.open(join(root, 'work'));
  const pool = new BuildPool({ workers: 2, timeoutMs: 30_000, memoryBytes: 1024 ** 3, workerPath: WORKER_PATH, workFolder: work.root, ...poolOptions });
  const sources = new SourceClient({ maxBytes: 100 * 1024 ** 2, allowPrivate: true, timeoutMs: 10_000, ...sourceOptions });
  const registry = new RegistryService({ storage, work, intake: new Intake({ storage, sources, builder: new ComponentBuilder(storage, pool) }), limits: { ...DEFAULT_BUNDLE_LIMITS, ...limits } });
  return {
    registry, storage, pool, root,
    leftovers: async () => [...(await readdir(work.root)), ...(await readdir(join(root, 'store/v1/partial')))],
    blobs: async () => {
      const found: string[] = [];
      for await (const { digest } of storage.list('')) found.push(digest);
      return found;
    },
    close: async () => {
      pool.close();
      await sources.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export async function* inChunks(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export const manifestOf = (component: string, trigger = 'route = "/..."\ncomponent = "main"'): string => `spin_manifest_version = 2
[application]
name = "test"
[[trigger.http]]
${trigger}
[component.main]
${component}
`;

/** A bundle of an app with one component `main`. */
export function bundleOf(wasm: Uint8Array, { manifest = manifestOf('source = "main.wasm"'), files = [] }: { manifest?: string; files?: PackEntry[] } = {}): Promise<Buffer> {
  return packBundle([{ path: 'spin.toml', content: Buffer.from(manifest) }, { path: 'main.wasm', content: wasm }, ...files]);
}
