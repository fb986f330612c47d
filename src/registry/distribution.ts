import type { Provider, Type } from '@nestjs/common';
import { StorageQuota } from '#contract/storage-quota.js';
import { TokenAuthority } from '#contract/token-authority.js';
import type { ControlConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import { OciBaseController, OciUnknownController } from './http/oci/oci-base.controller.js';
import { OciBlobsController } from './http/oci/oci-blobs.controller.js';
import { OciListingsController } from './http/oci/oci-listings.controller.js';
import { OciManifestsController } from './http/oci/oci-manifests.controller.js';
import { OciUploadsController } from './http/oci/oci-uploads.controller.js';
import { RegistryAccess } from './http/oci/registry-access.js';
import { RegistryTokens } from './http/oci/registry-tokens.js';
import { TokenController } from './http/oci/token.controller.js';
import { ManifestRepository } from './repositories/manifest.repository.js';
import { RepositoriesService } from './repositories/repositories.service.js';
import { RepositoryBlobRepository } from './repositories/repository-blob.repository.js';
import { RepositoryRepository } from './repositories/repository.repository.js';
import { UploadRepository } from './repositories/upload.repository.js';
import { UploadsService } from './repositories/uploads.service.js';
import { BlobStorage } from './storage/blob-storage.js';

/** Routes of the OCI distribution specification. The last one takes what no other does. */
export const DISTRIBUTION_CONTROLLERS: Type[] = [
  TokenController, OciBaseController, OciUploadsController, OciBlobsController, OciManifestsController, OciListingsController, OciUnknownController,
];

/** What they stand on. */
export function distributionProviders(config: ControlConfig): Provider[] {
  return [
    RepositoryRepository, ManifestRepository, RepositoryBlobRepository, UploadRepository,
    {
      provide: RepositoriesService,
      inject: [BlobStorage, PrismaService, RepositoryRepository, ManifestRepository, RepositoryBlobRepository, StorageQuota, Log],
      // oxlint-disable-next-line max-params -- what is injected
      useFactory: (storage: BlobStorage, prisma: PrismaService, repositories: RepositoryRepository, manifests: ManifestRepository, blobs: RepositoryBlobRepository, quota: StorageQuota, log: Log) =>
        new RepositoriesService({ storage, prisma, repositories, manifests, blobs, quota, log, sparse: config.WHORL_REGISTRY_SPARSE_MANIFESTS }),
    },
    {
      provide: UploadsService,
      inject: [BlobStorage, RepositoryRepository, RepositoryBlobRepository, UploadRepository, StorageQuota],
      useFactory: (storage: BlobStorage, repositories: RepositoryRepository, blobs: RepositoryBlobRepository, uploads: UploadRepository, quota: StorageQuota) =>
        new UploadsService({ storage, repositories, blobs, uploads, quota }),
    },
    { provide: RegistryTokens, useFactory: () => new RegistryTokens(Buffer.from(config.WHORL_SECRET_KEY, 'base64url')) },
    {
      provide: RegistryAccess,
      inject: [TokenAuthority, RegistryTokens],
      useFactory: (authority: TokenAuthority, tokens: RegistryTokens) => new RegistryAccess({ authority, tokens, anonymousPull: config.WHORL_REGISTRY_ANONYMOUS_PULL }),
    },
  ];
}
