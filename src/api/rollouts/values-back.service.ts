import { Injectable } from '@nestjs/common';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { ChannelRecord } from '../apps/app.js';
import { namesOf, type ValueChanges } from '../variables/variable-history.js';
import { VariablesService } from '../variables/variables.service.js';
import { type RestoredValues, RolloutRepository } from './rollout.repository.js';

type Lane = Pick<ChannelRecord, 'id' | 'appId' | 'channel'>;

/** What a way back leaves of the values, when it is not known any more what they were. */
export const UNKNOWN_VALUES = '(those of before are not known any more)';

/** Values of variables go back together with the code: to those that a version was last served with. In a transaction that holds the lock of the app. */
@Injectable()
export class ValuesBackService {
  constructor(
    private readonly repository: RolloutRepository,
    private readonly variables: VariablesService,
  ) {}

  /** What a rollback of a channel to a version would give back; undefined: nothing is known of the values that it had. */
  async of(db: Db, channel: Lane, version: number): Promise<ValueChanges | undefined> {
    const revision = await this.repository.lastValuesOf(db, channel.id, version);
    return revision === undefined ? undefined : this.variables.changesTo(db, { appId: channel.appId, channel: channel.channel }, revision);
  }

  /** Gives back the values that a version was last served with (`version`), or those of a revision. Answers what came of it, and the revision that is served from now on. */
  async give(db: Db, channel: Lane, to: { version: number } | { revision: number | undefined }, causedBy: string): Promise<{ after: number; values: RestoredValues | undefined }> {
    const now = await this.repository.valuesRevision(db, channel.appId);
    const revision = 'version' in to ? await this.repository.lastValuesOf(db, channel.id, to.version) : to.revision;
    if (revision === undefined || revision === now) return { after: now, values: undefined };
    const changes = await this.variables.changesTo(db, { appId: channel.appId, channel: channel.channel }, revision);
    if (!changes) return { after: now, values: { restored: [], left: [UNKNOWN_VALUES] } };
    const after = await this.variables.giveBack(db, { id: channel.appId, variablesRevision: now }, changes, causedBy);
    return { after, values: { restored: namesOf(changes), left: changes.left } };
  }
}
