import { Injectable } from '@nestjs/common';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { type ResolvedSettings, resolveSettings, type RolloutSettings, settingsOfManifest } from './settings.js';
import { SettingsRepository } from './settings.repository.js';

/** How versions of a channel are rolled out when a call does not say. */
@Injectable()
export class SettingsService {
  constructor(
    private readonly repository: SettingsRepository,
    private readonly apps: AppsService,
  ) {}

  /** Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async get(name: string, channel: string): Promise<RolloutSettings> {
    const app = await this.apps.get(name, channel);
    return this.repository.find(app.channel.id);
  }

  /** Holds for what begins from now on. Throws as `get` does, and API_STATE_CHANGED. */
  async put(name: string, channel: string, settings: RolloutSettings, ifMatch: string[] | undefined): Promise<RolloutSettings> {
    return this.apps.change(name, { channel, ifMatch }, async (db, app) => {
      await this.repository.put(db, app.channel.id, settings);
      return settings;
    });
  }

  /** Whether a way back leaves the variables as they are. */
  async keepVariables(db: Db, app: AppRecord, said: RolloutSettings): Promise<boolean> {
    return said.keepVariables ?? (await this.repository.find(app.channel.id, db)).keepVariables ?? false;
  }

  /** What holds for a rollout: what the call says, else the channel, else the manifest of the version. Throws BUNDLE_MANIFEST_INVALID. */
  async of(db: Db, app: AppRecord, version: number, said: RolloutSettings): Promise<ResolvedSettings> {
    const [channel, manifest] = [await this.repository.find(app.channel.id, db), await this.repository.manifest(db, app.id, version)];
    return resolveSettings(said, channel, settingsOfManifest(manifest));
  }
}
