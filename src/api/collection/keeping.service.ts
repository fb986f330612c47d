import { Inject, Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { AppsService } from '../apps/apps.service.js';
import type { KeepRequest, KeepView } from './collection.schema.js';
import { HoldingsService } from './holdings.service.js';
import { VersionPolicyRepository } from './version-policy.repository.js';

/** What an app asks the collector to keep. */
@Injectable()
export class KeepingService {
  constructor(
    private readonly apps: AppsService,
    private readonly policy: VersionPolicyRepository,
    private readonly holdings: HoldingsService,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** Throws API_APP_NOT_FOUND. */
  async get(name: string): Promise<KeepView> {
    const own = await this.policy.findKeep((await this.apps.get(name)).id);
    return { versions: own.versions ?? this.config.WHORL_KEEP_VERSIONS, days: own.days ?? this.config.WHORL_KEEP_DAYS, own };
  }

  /** Throws API_APP_NOT_FOUND. */
  async put(name: string, keep: KeepRequest): Promise<KeepView> {
    await this.apps.change(name, {}, (db, app) => this.policy.putKeep(db, app.id, keep));
    return this.get(name);
  }

  /** Keeps a version whatever the policy says, until it is unpinned. Throws API_APP_NOT_FOUND, API_VERSION_NOT_FOUND, API_VERSION_COLLECTED. */
  async pin(name: string, number: number, pinned: boolean): Promise<void> {
    await this.apps.change(name, {}, async (db, app) => {
      if (pinned) await this.holdings.requireBytes(db, app, number);
      if (!(await this.policy.pin(db, { appId: app.id, number }, pinned))) throw new WhorlError('API_VERSION_NOT_FOUND', `${name} has no version ${number}`);
    });
  }
}
