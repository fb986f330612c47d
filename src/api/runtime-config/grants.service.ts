import { Injectable } from '@nestjs/common';
import { RuntimeConfig } from '#contract/runtime-config.js';
import type { RuntimeGrant } from '#contract/runtime-grant.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { StoreLinksService } from '../stores/store-links.service.js';
import { SecretBox } from '../variables/secret-box.js';
import { type ConfigPlace, placesFor } from './config-place.js';
import { toRuntimeGrant } from './merge.js';
import { RuntimeConfigRepository, type SealedLayer } from './runtime-config.repository.js';

export interface GrantedChannel {
  appId: string;
  app: string;
  channel: string;
}

/** What runtime configuration and links come to. */
@Injectable()
export class GrantsService {
  /** Opened layers, by what they were sealed to; those of the last look. */
  private opened = new Map<string, RuntimeConfig>();

  constructor(
    private readonly repository: RuntimeConfigRepository,
    private readonly links: StoreLinksService,
    private readonly box: SecretBox,
  ) {}

  /** One grant for each channel, in their order. */
  async of(channels: readonly GrantedChannel[], db?: Db): Promise<RuntimeGrant[]> {
    const appIds = [...new Set(channels.map(({ appId }) => appId))];
    const [sealed, stores] = await Promise.all([this.repository.list(appIds, db), this.links.behindLabels(channels, db)]);
    const layers = new Map(sealed.map((layer) => [layer.place, this.open(layer)]));
    return channels.map(({ appId, app, channel }, i) => toRuntimeGrant(app, placesFor(appId, channel).flatMap((place) => layers.get(place) ?? []), stores[i]));
  }

  /** What the app's channel is granted; in a transaction, as it is there. */
  async ofApp(app: AppRecord, db?: Db): Promise<RuntimeGrant> {
    const [grant] = await this.of([{ appId: app.id, app: app.name, channel: app.channel.channel }], db);
    return grant!;
  }

  seal(place: ConfigPlace, config: RuntimeConfig): string {
    return this.box.seal(JSON.stringify(config), contextOf(place));
  }

  open({ place, config: sealed }: Pick<SealedLayer, 'place' | 'config'>): RuntimeConfig {
    let config = this.opened.get(sealed);
    if (!config) {
      config = RuntimeConfig.parse(JSON.parse(this.box.open(sealed, contextOf(place))));
      if (this.opened.size >= MAX_OPENED) this.opened = new Map();
      this.opened.set(sealed, config);
    }
    return config;
  }
}

/** Far more than are looked at over and over. */
const MAX_OPENED = 10_000;

const contextOf = (place: ConfigPlace): string => `runtime-config\n${place}`;
