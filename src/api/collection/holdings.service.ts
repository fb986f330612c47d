import { Injectable } from '@nestjs/common';
import type { LockedApp } from '#contract/bundle/locked-app.js';
import { WhorlError } from '#contract/errors.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { HoldingRepository } from './holding.repository.js';
import { VersionPolicyRepository } from './version-policy.repository.js';

/** Which blobs versions hold, and whether they still do. */
@Injectable()
export class HoldingsService {
  constructor(
    private readonly repository: HoldingRepository,
    private readonly policy: VersionPolicyRepository,
  ) {}

  /** Notes what a version holds that was just pushed, whether it is new or not; the app is locked. */
  note(db: Db, app: AppRecord, number: number, locked: LockedApp): Promise<void> {
    return this.repository.note(db, { appId: app.id, number }, locked);
  }

  /** Throws API_VERSION_COLLECTED when its bytes were given up. The app is locked, so that they are not meanwhile. */
  async requireBytes(db: Db, app: AppRecord, number: number): Promise<void> {
    if (await this.policy.isCollected(db, { appId: app.id, number })) {
      throw new WhorlError('API_VERSION_COLLECTED', `version ${number} of ${app.name} was not used for long, and its bytes were deleted`);
    }
  }
}
