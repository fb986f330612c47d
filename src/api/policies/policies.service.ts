import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import type { Capability } from '../diff/capability.schema.js';
import { DiffService } from '../diff/diff.service.js';
import { cannotDecide, type ChannelPolicy, needsApproval } from './channel-policy.js';
import { PolicyRepository } from './policy.repository.js';

@Injectable()
export class PoliciesService {
  constructor(
    private readonly repository: PolicyRepository,
    private readonly apps: AppsService,
    private readonly diffs: DiffService,
  ) {}

  /** Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async get(name: string, channel: string): Promise<ChannelPolicy> {
    const app = await this.apps.get(name, channel);
    return this.repository.find(app.channel.id);
  }

  /** Holds for what begins from now on. Throws as `get` does, and API_STATE_CHANGED. */
  async put(name: string, channel: string, policy: ChannelPolicy, ifMatch: string[] | undefined): Promise<ChannelPolicy> {
    return this.apps.change(name, { channel, ifMatch }, async (db, app) => {
      await this.repository.put(db, app.channel.id, policy);
      return policy;
    });
  }

  /** What somebody must agree to before a version is rolled out, of an app that is locked; null: nothing. Throws API_VERSION_NOT_FOUND. */
  async asksOf(db: Db, app: AppRecord, version: number, cause: string): Promise<Capability[] | null> {
    const policy = await this.repository.find(app.channel.id, db);
    if (!policy.approval.newCapabilities) return null;
    const newlyAsked = await this.newlyAsked(db, app, version);
    return needsApproval(policy, { cause, newlyAsked, wasServed: await this.repository.wasServed(db, app.channel.id, version) });
  }

  /** What a version asks for and nothing that the channel serves now does. */
  newlyAsked(db: Db, app: AppRecord, version: number): Promise<Capability[]> {
    const served = app.channel.serve.filter(({ percent }) => percent > 0).map((share) => share.version as number);
    return this.diffs.newlyAsked(db, app, version, served);
  }

  /** Throws API_APPROVAL_BY_ANOTHER when the policy wants somebody else to decide on a rollout. */
  async requireMayDecide(db: Db, app: AppRecord, who: string, rollout: { version: number; causedBy: string }): Promise<void> {
    const pushedBy = await this.repository.pushedBy(db, app.id, rollout.version);
    const reason = cannotDecide(await this.repository.find(app.channel.id, db), who, { pushedBy, causedBy: rollout.causedBy });
    if (reason !== undefined) throw new WhorlError('API_APPROVAL_BY_ANOTHER', `${reason}; the policy of the channel ${app.channel.channel} wants another to agree`);
  }
}
