import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { RuntimeConfig } from '#contract/runtime-config.js';
import type { ControlConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { type AppRecord, etagOf } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { type ConfigPlace, placeOf } from './config-place.js';
import { GrantsService } from './grants.service.js';
import { loadConfigFile } from './load-config-file.js';
import { maskConfig } from './mask.js';
import { takesAway } from './requirements.js';
import { RequirementsService } from './requirements.service.js';
import { RuntimeConfigRepository, type SealedLayer } from './runtime-config.repository.js';
import type { RuntimeConfigView } from './runtime-config.schema.js';

/** Whose configuration: without a name that of the platform, without a channel that of the app. */
export interface ConfigOwner {
  app?: string;
  channel?: string;
}

export interface ShownConfig {
  view: RuntimeConfigView;
  etag: string;
}

@Injectable()
export class RuntimeConfigService implements OnApplicationBootstrap {
  // oxlint-disable-next-line max-params -- what is injected
  constructor(
    private readonly repository: RuntimeConfigRepository,
    private readonly grants: GrantsService,
    private readonly requirements: RequirementsService,
    private readonly apps: AppsService,
    private readonly prisma: PrismaService,
    private readonly log: Log,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** Takes WHORL_RUNTIME_CONFIG up. It is kept with the other layers, so that all replicas have the same: that of the one started last. */
  async onApplicationBootstrap(): Promise<void> {
    const { WHORL_RUNTIME_CONFIG: path } = this.config;
    const layer = path === undefined ? undefined : await loadConfigFile(path);
    const changed = await this.prisma.transaction((db) => this.changeShared(db, 'file', layer, () => {}));
    if (changed.length > 0) this.log.info('the platform\'s runtime configuration is another one', { path, apps: changed.length });
  }

  /** The configuration without its secrets; empty when there is none. Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async get({ app: name, channel }: ConfigOwner): Promise<ShownConfig> {
    if (name === undefined) return this.shownPlatform();
    return this.shownOf(await this.apps.get(name, channel), channel);
  }

  /**
   * Puts a configuration in the place of the one before (null: none); makes the app when it is new. Returns when every live node has it.
   * Throws API_STATE_CHANGED, API_SWITCH_TIMEOUT, and API_VARIABLE_REQUIRED or API_STORE_LABEL_UNKNOWN when what is live needs something
   * that is removed.
   */
  async change({ app: name, channel }: ConfigOwner, config: RuntimeConfig | null, ifMatch: string[] | undefined): Promise<ShownConfig> {
    if (name === undefined) return this.changePlatform(config, ifMatch);
    const app = await this.apps.change(name, { channel, ifMatch, create: config !== null }, async (db, locked) => {
      const place = placeOf(locked.id, channel);
      if (!(await this.store(db, place, config ?? undefined, locked.id))) return locked;
      await this.requirements.requireOfServed(db, locked.name);
      return { ...locked, variablesRevision: await this.apps.raiseRevision(db, locked) };
    });
    await this.apps.waitUntilTaken(app);
    return this.shownOf(app, channel);
  }

  private async changePlatform(config: RuntimeConfig | null, ifMatch: string[] | undefined): Promise<ShownConfig> {
    const changed = await this.prisma.transaction((db) =>
      this.changeShared(db, 'platform', config ?? undefined, (layer) => {
        const etag = etagOfLayer(layer);
        if (ifMatch !== undefined && !ifMatch.includes(etag)) throw new WhorlError('API_STATE_CHANGED', `the platform's runtime configuration is at ${etag}`);
      }, true));
    await this.apps.waitUntilAllTook(changed);
    return this.shownPlatform();
  }

  /** Answers the apps that are touched by it, each with each channel. `check`: whether what they serve has what it needs afterwards. */
  private async changeShared(db: Db, place: 'file' | 'platform', config: RuntimeConfig | undefined, look: (layer: SealedLayer | undefined) => void, check = false): Promise<AppRecord[]> {
    await this.repository.lockShared(db);
    const layer = await this.repository.find(place, db);
    look(layer);
    const before = layer && this.grants.open(layer);
    if (!(await this.store(db, place, config))) return [];
    // First the apps, which locks them: what they serve does not change any more.
    const apps = await this.apps.raiseRevisions(db, null);
    if (check && takesAway(before ?? {}, config ?? {})) for (const name of new Set(apps.map((app) => app.name))) await this.requirements.requireOfServed(db, name);
    return apps;
  }

  /** False when it is the same as before. */
  private async store(db: Db, place: ConfigPlace, config: RuntimeConfig | undefined, appId?: string): Promise<boolean> {
    const before = await this.repository.find(place, db);
    if (isDeepStrictEqual(before && this.grants.open(before), config)) return false;
    if (config) await this.repository.put(db, place, this.grants.seal(place, config), appId);
    else await this.repository.remove(db, place);
    return true;
  }

  private async shownPlatform(): Promise<ShownConfig> {
    const layer = await this.repository.find('platform');
    return { view: this.toView(layer), etag: etagOfLayer(layer) };
  }

  private async shownOf(app: AppRecord, channel: string | undefined): Promise<ShownConfig> {
    return { view: this.toView(await this.repository.find(placeOf(app.id, channel))), etag: etagOf(app) };
  }

  private toView(layer: SealedLayer | undefined): RuntimeConfigView {
    return { config: layer ? maskConfig(this.grants.open(layer)) : {}, updatedAt: layer?.updatedAt.toISOString() ?? null };
  }
}

/** One that was removed and made again has another time. */
const etagOfLayer = (layer: SealedLayer | undefined): string => (layer ? `"${layer.revision}.${layer.updatedAt.getTime()}"` : '"0"');
