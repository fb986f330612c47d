import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrustedRoot } from '@sigstore/protobuf-specs';
import { DEFAULT_BUNDLE_LIMITS, type BundleLimits } from '#contract/bundle/limits.js';
import { type PackEntry, packBundle } from '#contract/bundle/pack.js';
import { Log } from '#platform/log.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import { openRemoteImages, type RemoteImagesOptions } from '#registry/client/remote-images.factory.js';
import { HeldBytesRepository } from '#registry/collect/held-bytes.repository.js';
import { QuotaService } from '#registry/collect/quota.service.js';
import { ManifestRepository } from '#registry/repositories/manifest.repository.js';
import { PushedTagRepository } from '#registry/repositories/pushed-tag.repository.js';
import { RepositoriesService } from '#registry/repositories/repositories.service.js';
import { RepositoryBlobRepository } from '#registry/repositories/repository-blob.repository.js';
import { RepositoryRepository } from '#registry/repositories/repository.repository.js';
import { BuildPool, type BuildPoolOptions } from '#registry/service/build-pool.js';
import { BuiltInImages } from '#registry/service/built-in-images.js';
import { BundleIntake } from '#registry/service/bundle-intake.js';
import { ComponentBuilder } from '#registry/service/component-builder.js';
import { ImageIntake } from '#registry/service/image-intake.js';
import { Intake } from '#registry/service/intake.js';
import { RegistryService } from '#registry/service/registry.service.js';
import { SourceClient, type SourceClientOptions } from '#registry/service/source-client.js';
import { WorkFolder } from '#registry/service/work-folder.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { FolderDriver } from '#registry/storage/folder.driver.js';
import { TrustPolicyRepository } from '#registry/trust/trust-policy.repository.js';
import { TrustService } from '#registry/trust/trust.service.js';

/** Build workers run compiled code: `npm test` builds before it tests. */
export const WORKER_PATH = join(import.meta.dirname, '../../dist/registry/service/build-worker.js');
if (!existsSync(WORKER_PATH)) throw new Error('run `npm run build` first: build workers run compiled code');

export interface RegistryUnderTest {
  registry: RegistryService;
  storage: BlobStorage;
  pool: BuildPool;
  repositories: RepositoriesService;
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
  /** Of a migrated database, for images of the built-in registry. */
  databaseUrl?: string;
  /** The way to other registries. */
  reach?: Partial<RemoteImagesOptions>;
  /** Images are held against the policy in the database. */
  trust?: { root?: TrustedRoot };
}

/** Nothing asks it where there are no images. */
const NO_DATABASE = 'postgres://127.0.0.1:1/none';

function openRepositories(storage: BlobStorage, prisma: PrismaService): RepositoriesService {
  const log = new Log({ process: 'test' }, 'warn', () => {});
  return new RepositoriesService({
    storage, prisma, log, sparse: false, quota: new QuotaService(new HeldBytesRepository(prisma), null), repositories: new RepositoryRepository(prisma), manifests: new ManifestRepository(prisma), blobs: new RepositoryBlobRepository(prisma),
  });
}

/** A registry over a real folder, with real build workers. */
export async function openRegistry({ pool: poolOptions, limits, sources: sourceOptions, databaseUrl = NO_DATABASE, reach, trust }: RegistryTestOptions = {}): Promise<RegistryUnderTest> {
  const root = await mkdtemp(join(tmpdir(), 'whorl-registry-'));
  const storage = new BlobStorage(await FolderDriver.open(join(root, 'store')));
  const work = await WorkFolder.open(join(root, 'work'));
  const pool = new BuildPool({ workers: 2, timeoutMs: 30_000, memoryBytes: 1024 ** 3, workerPath: WORKER_PATH, workFolder: work.root, ...poolOptions });
  const sources = new SourceClient({ maxBytes: 100 * 1024 ** 2, allowPrivate: true, timeoutMs: 10_000, ...sourceOptions });
  const intake = new Intake({ storage, sources, builder: new ComponentBuilder(storage, pool) });
  const allLimits = { ...DEFAULT_BUNDLE_LIMITS, ...limits };
  const bundles = new BundleIntake(intake, allLimits);
  const prisma = new PrismaService(databaseUrl);
  const repositories = openRepositories(storage, prisma);
  const remote = await openRemoteImages({ authFile: undefined, caFile: undefined, allowPrivate: true, privateHosts: [], insecureOrigins: [], proxy: undefined, noProxy: '', ...reach });
  const verifier = new TrustService(new TrustPolicyRepository(prisma), trust?.root);
  const images = new ImageIntake({ storage, intake, bundles, limits: allLimits, builtIn: new BuiltInImages(repositories, storage), remote: remote.source, verifier: trust && verifier });
  const registry = new RegistryService({ storage, work, intake, bundles, images, repositories, tags: new PushedTagRepository(prisma), verifier });
  return {
    registry, storage, pool, root, repositories,
    leftovers: async () => [...(await readdir(work.root)), ...(await readdir(join(root, 'store/v1/partial')))],
    blobs: async () => {
      const found: string[] = [];
      for await (const { digest } of storage.list('')) found.push(digest);
      return found;
    },
    close: async () => {
      pool.close();
      await sources.close();
      await remote.close();
      await prisma.$disconnect();
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
