import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { type BundleLimits, DEFAULT_BUNDLE_LIMITS } from '#contract/bundle/limits.js';
import { Collector } from '#contract/collection.js';
import { FileUploads } from '#contract/file-uploads.js';
import { Registry } from '#contract/registry.js';
import { StorageQuota } from '#contract/storage-quota.js';
import type { ControlConfig } from '#platform/config.js';
import { openRemoteImages, type RemoteImages, remoteImagesOptions } from './client/remote-images.factory.js';
import { MirrorService } from './client/mirror.service.js';
import { CollectorService } from './collect/collector.service.js';
import { HeldBytesRepository } from './collect/held-bytes.repository.js';
import { QuotaService } from './collect/quota.service.js';
import { RepositoryHoldingsRepository } from './collect/repository-holdings.repository.js';
import { DISTRIBUTION_CONTROLLERS, distributionProviders } from './distribution.js';
import { BlobsController } from './http/blobs.controller.js';
import { MirrorController } from './http/mirror.controller.js';
import { TrustController } from './http/trust.controller.js';
import { PushedTagRepository } from './repositories/pushed-tag.repository.js';
import { RepositoriesService } from './repositories/repositories.service.js';
import { UploadsService } from './repositories/uploads.service.js';
import { BuildPool } from './service/build-pool.js';
import { BuiltInImages } from './service/built-in-images.js';
import { BundleIntake } from './service/bundle-intake.js';
import { ComponentBuilder } from './service/component-builder.js';
import { FileUploadsService } from './service/file-uploads.service.js';
import { ImageIntake } from './service/image-intake.js';
import { Intake } from './service/intake.js';
import { RegistryService } from './service/registry.service.js';
import { SourceClient } from './service/source-client.js';
import { WorkFolder } from './service/work-folder.js';
import { BlobStorage } from './storage/blob-storage.js';
import { openStorage } from './storage/storage.factory.js';
import { ImageVerifier } from './trust/image-verifier.js';
import { TrustPolicyRepository } from './trust/trust-policy.repository.js';
import { TrustService } from './trust/trust.service.js';
import { readTrustedRoot } from './trust/trusted-root.js';

const SOURCE_TIMEOUT_MS = 120_000;
/** What fetches images of other registries. */
const REMOTE_IMAGES = Symbol('RemoteImages');
const WORKER = fileURLToPath(new URL('./service/build-worker.js', import.meta.url));

export interface RegistryOptions {
  /** The compiled build-worker.js, where it does not lie beside this file. */
  workerPath?: string;
}

/**
 * The registry as part of the control plane: provides contract/registry's `Registry` to the API, the blobs' route to nodes, and what OCI
 * clients speak. It asks for the platform's parts and for contract/token-authority's `TokenAuthority`.
 */
@Module({})
export class RegistryModule implements OnApplicationShutdown {
  constructor(
    @Inject(BuildPool) private readonly pool: BuildPool,
    @Inject(SourceClient) private readonly sources: SourceClient,
    @Inject(REMOTE_IMAGES) private readonly remote: RemoteImages,
  ) {}

  static with(config: ControlConfig, { workerPath = WORKER }: RegistryOptions = {}): DynamicModule {
    return {
      module: RegistryModule,
      controllers: [BlobsController, MirrorController, TrustController, ...DISTRIBUTION_CONTROLLERS],
      providers: [
        ...distributionProviders(config),
        TrustPolicyRepository,
        {
          provide: TrustService,
          inject: [TrustPolicyRepository],
          useFactory: (policies: TrustPolicyRepository) => new TrustService(policies, config.WHORL_TRUSTED_ROOT === undefined ? undefined : readTrustedRoot(config.WHORL_TRUSTED_ROOT)),
        },
        { provide: ImageVerifier, useExisting: TrustService },
        { provide: BlobStorage, useFactory: () => openStorage(config) },
        { provide: WorkFolder, useFactory: () => WorkFolder.open(workRoot(config)) },
        {
          provide: BuildPool,
          inject: [WorkFolder],
          useFactory: ({ root }: WorkFolder) => {
            const pool = new BuildPool({
              workers: config.WHORL_BUILD_WORKERS, timeoutMs: config.WHORL_BUILD_TIMEOUT_MS, memoryBytes: config.WHORL_BUILD_MEMORY_BYTES, workerPath, workFolder: root,
            });
            pool.warm();
            return pool;
          },
        },
        {
          provide: SourceClient,
          useFactory: () => new SourceClient({ maxBytes: config.WHORL_MAX_BUNDLE_BYTES, allowPrivate: config.WHORL_ALLOW_PRIVATE_SOURCES, timeoutMs: SOURCE_TIMEOUT_MS }),
        },
        PushedTagRepository,
        RepositoryHoldingsRepository,
        HeldBytesRepository,
        { provide: Collector, useClass: CollectorService },
        {
          provide: StorageQuota,
          inject: [HeldBytesRepository],
          useFactory: (held: HeldBytesRepository) => new QuotaService(held, config.WHORL_ORG_STORAGE_BYTES ?? null),
        },
        {
          provide: FileUploads,
          inject: [BlobStorage, WorkFolder, Intake],
          useFactory: (storage: BlobStorage, work: WorkFolder, intake: Intake) => new FileUploadsService({ storage, work, intake }),
        },
        { provide: REMOTE_IMAGES, useFactory: () => openRemoteImages(remoteImagesOptions(config)) },
        {
          provide: MirrorService,
          inject: [REMOTE_IMAGES, RepositoriesService, UploadsService, StorageQuota],
          useFactory: ({ source }: RemoteImages, repositories: RepositoriesService, uploads: UploadsService, quota: StorageQuota) => new MirrorService({ source, repositories, uploads, quota }),
        },
        {
          provide: Intake,
          inject: [BlobStorage, SourceClient, BuildPool],
          useFactory: (storage: BlobStorage, sources: SourceClient, pool: BuildPool) => new Intake({ storage, sources, builder: new ComponentBuilder(storage, pool) }),
        },
        { provide: BundleIntake, inject: [Intake], useFactory: (intake: Intake) => new BundleIntake(intake, limitsOf(config)) },
        {
          provide: ImageIntake,
          inject: [BlobStorage, Intake, BundleIntake, RepositoriesService, REMOTE_IMAGES, ImageVerifier],
          // oxlint-disable-next-line max-params -- what is injected
          useFactory: (storage: BlobStorage, intake: Intake, bundles: BundleIntake, repositories: RepositoriesService, { source: remote }: RemoteImages, verifier: ImageVerifier) =>
            new ImageIntake({ storage, intake, bundles, limits: limitsOf(config), builtIn: new BuiltInImages(repositories, storage), remote, verifier }),
        },
        {
          provide: Registry,
          inject: [BlobStorage, WorkFolder, Intake, BundleIntake, ImageIntake, RepositoriesService, PushedTagRepository, ImageVerifier],
          // oxlint-disable-next-line max-params -- what is injected
          useFactory: (storage: BlobStorage, work: WorkFolder, intake: Intake, bundles: BundleIntake, images: ImageIntake, repositories: RepositoriesService, tags: PushedTagRepository, verifier: ImageVerifier) =>
            new RegistryService({ storage, work, intake, bundles, images, repositories, tags, verifier }),
        },
      ],
      exports: [Registry, Collector, FileUploads, StorageQuota],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    this.pool.close();
    await this.sources.close();
    await this.remote.close();
  }
}

const limitsOf = (config: ControlConfig): BundleLimits => ({ ...DEFAULT_BUNDLE_LIMITS, bundleBytes: config.WHORL_MAX_BUNDLE_BYTES });

/** Beside the artifacts where they are a folder: what a push unpacks is as large as what it stores. */
function workRoot(config: ControlConfig): string {
  return config.WHORL_STORAGE === 'folder' && config.WHORL_STORAGE_DIR ? join(config.WHORL_STORAGE_DIR, 'work') : join(tmpdir(), 'whorl-registry');
}
