import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { DEFAULT_BUNDLE_LIMITS } from '#contract/bundle/limits.js';
import { Registry } from '#contract/registry.js';
import type { ControlConfig } from '#platform/config.js';
import { DISTRIBUTION_CONTROLLERS, distributionProviders } from './distribution.js';
import { BlobsController } from './http/blobs.controller.js';
import { TrustController } from './http/trust.controller.js';
import { BuildPool } from './service/build-pool.js';
import { ComponentBuilder } from './service/component-builder.js';
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
  ) {}

  static with(config: ControlConfig, { workerPath = WORKER }: RegistryOptions = {}): DynamicModule {
    return {
      module: RegistryModule,
      controllers: [BlobsController, TrustController, ...DISTRIBUTION_CONTROLLERS],
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
        {
          provide: Registry,
          inject: [BlobStorage, WorkFolder, BuildPool, SourceClient],
          useFactory: (storage: BlobStorage, work: WorkFolder, pool: BuildPool, sources: SourceClient) =>
            new RegistryService({ storage, work, intake: new Intake({ storage, sources, builder: new ComponentBuilder(storage, pool) }), limits: { ...DEFAULT_BUNDLE_LIMITS, bundleBytes: config.WHORL_MAX_BUNDLE_BYTES } }),
        },
      ],
      exports: [Registry],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    this.pool.close();
    await this.sources.close();
  }
}

/** Beside the artifacts where they are a folder: what a push unpacks is as large as what it stores. */
function workRoot(config: ControlConfig): string {
  return config.WHORL_STORAGE === 'folder' && config.WHORL_STORAGE_DIR ? join(config.WHORL_STORAGE_DIR, 'work') : join(tmpdir(), 'whorl-registry');
}
