import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { DEFAULT_ORG } from '#contract/ids.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { GrantsService } from '../runtime-config/grants.service.js';
import { storesInFiles } from './lead/channel-row.js';
import { WorldRepository } from './lead/world.repository.js';

/** What apps keep in files of a node. */
@Injectable()
export class StateService {
  constructor(
    private readonly repository: WorldRepository,
    private readonly grants: GrantsService,
  ) {}

  /** Stores in files that what the channel serves or is about to serve uses, each by its file. */
  async storesOf(app: AppRecord, db?: Db): Promise<string[]> {
    const { serve, previousVersion } = app.channel;
    const held = [...new Set([...serve.map(({ version }) => version as number), ...(app.rollout ? [app.rollout.version] : []), ...(previousVersion === null ? [] : [previousVersion])])];
    const [[facts], grant] = await Promise.all([this.repository.factsOf([{ appId: app.id, held }], db), this.grants.ofApp(app, db)]);
    return storesInFiles({ org: DEFAULT_ORG, app: app.name }, facts!, grant);
  }

  /** Throws SCHEDULER_STATE_PINNED when the channel cannot be on two nodes. */
  async requireMovable(app: AppRecord, db: Db): Promise<void> {
    const stores = await this.storesOf(app, db);
    if (stores.length > 0) throw new WhorlError('SCHEDULER_STATE_PINNED', `${app.name}/${app.channel.channel} keeps state in files of one node (${stores.join(', ')}): it has one replica there`);
  }
}
