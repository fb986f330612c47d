import { Injectable } from '@nestjs/common';
import type { LockedApp } from '#contract/bundle/locked-app.js';
import { WhorlError } from '#contract/errors.js';
import { DEFAULT_ORG, type Digest } from '#contract/ids.js';
import { StorageQuota } from '#contract/storage-quota.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { blobsOf } from './blobs-of.js';
import { HoldingRepository } from './holding.repository.js';
import { VersionPolicyRepository } from './version-policy.repository.js';

/** Which blobs versions hold, and whether they still do. */
@Injectable()
export class HoldingsService {
  constructor(
    private readonly repository: HoldingRepository,
    private readonly policy: VersionPolicyRepository,
    private readonly quota: StorageQuota,
  ) {}

  /** Notes what a version holds that was just pushed, whether it is new or not; the app is locked. */
  note(db: Db, app: AppRecord, number: number, locked: LockedApp): Promise<void> {
    return this.repository.note(db, { appId: app.id, number }, locked);
  }

  /** Of these digests those that the organisation has, and so may use by naming them. */
  held(digests: readonly Digest[]): Promise<Set<Digest>> {
    return this.repository.held(digests);
  }

  /** Throws REGISTRY_QUOTA_EXCEEDED when what the organisation does not have yet of an app is more than it may keep. */
  async requireRoom(app: LockedApp): Promise<void> {
    if (this.quota.limitBytes === null) return;
    const blobs = blobsOf(app);
    const held = await this.held(blobs.map(({ digest }) => digest));
    await this.requireBytesFree(blobs.reduce((sum, { digest, bytes }) => sum + (held.has(digest) ? 0 : bytes), 0));
  }

  /** The same for bytes that are about to come. */
  requireBytesFree(bytes: number): Promise<void> {
    return this.quota.require(DEFAULT_ORG, bytes, { isAnnounced: true });
  }

  /** Throws API_VERSION_COLLECTED when its bytes were given up. The app is locked, so that they are not meanwhile. */
  async requireBytes(db: Db, app: AppRecord, number: number): Promise<void> {
    if (await this.policy.isCollected(db, { appId: app.id, number })) {
      throw new WhorlError('API_VERSION_COLLECTED', `version ${number} of ${app.name} was not used for long, and its bytes were deleted`);
    }
  }
}
