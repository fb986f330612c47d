import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { AppsService } from '../../apps/apps.service.js';
import { StateService } from '../state.service.js';
import type { ChannelScale } from './channel-scale.js';
import { ScaleRepository, type ScaleRecord } from './scale.repository.js';

export interface ShownScale {
  scale: ChannelScale;
  etag: string;
}

const shown = ({ scale, revision }: ScaleRecord): ShownScale => ({ scale, etag: `"scale.${revision}"` });

/** How many replicas channels have, and where they may be. */
@Injectable()
export class ScaleService {
  constructor(
    private readonly repository: ScaleRepository,
    private readonly apps: AppsService,
    private readonly state: StateService,
  ) {}

  /** Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async get(name: string, channel: string): Promise<ShownScale> {
    const app = await this.apps.get(name, channel);
    return shown(await this.repository.find(app.channel.id));
  }

  /** Throws as `get` does, API_STATE_CHANGED, and SCHEDULER_STATE_PINNED when the state of the app is in files of one node and two replicas are asked for. */
  async put(name: string, channel: string, scale: ChannelScale, { ifMatch, setBy }: { ifMatch: string[] | undefined; setBy: string }): Promise<ShownScale> {
    return this.apps.change(name, { channel }, async (db, app) => {
      const before = await this.repository.find(app.channel.id, db);
      const { etag } = shown(before);
      if (ifMatch !== undefined && !ifMatch.includes(etag)) throw new WhorlError('API_STATE_CHANGED', `the scale of ${name}/${channel} is at ${etag}`);
      if (scale.min > 1) await this.state.requireMovable(app, db);
      const record = { scale, revision: before.revision + 1 };
      await this.repository.put(db, app.channel.id, record, setBy);
      return shown(record);
    });
  }
}
