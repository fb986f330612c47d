import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { AppName, VersionNumber } from '#contract/ids.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { DeployOnPushRepository, type RuleRecord } from './deploy-on-push.repository.js';
import type { RuleView } from './deploy-on-push.schema.js';
import { TagPushRepository, type TagPushRecord } from './tag-push.repository.js';
import type { TagRule } from './tag-rule.js';

export interface RuleCall {
  app: string;
  channel: string;
  ifMatch: string[] | undefined;
  /** Name of the token. */
  setBy: string;
}

export interface ShownRule {
  view: RuleView;
  etag: string;
}

/** Which tags a channel deploys when they are pushed to the app's repository. */
@Injectable()
export class DeployOnPushService {
  constructor(
    private readonly rules: DeployOnPushRepository,
    private readonly pushes: TagPushRepository,
    private readonly apps: AppsService,
  ) {}

  /** Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async get(name: string, channel: string): Promise<ShownRule> {
    return this.show(await this.apps.get(name, channel));
  }

  /**
   * Sets the rule (null: there is none any more); makes the app when it is new. The same rule again changes nothing. Throws
   * API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND, API_STATE_CHANGED.
   */
  async set({ app: name, channel, ifMatch, setBy }: RuleCall, rule: TagRule | null): Promise<ShownRule> {
    const app = await this.apps.change(name, { channel, create: rule !== null }, async (db, locked) => {
      const before = await this.rules.find(locked.channel.id, db);
      const etag = etagOfRule(before);
      if (ifMatch !== undefined && !ifMatch.includes(etag)) throw new WhorlError('API_STATE_CHANGED', `what ${name} deploys on push is at ${etag}: ${before ? `${before.rule.kind} "${before.rule.pattern}"` : 'nothing'}`);
      await this.setIn(db, locked, rule, setBy);
      return locked;
    });
    return this.show(app);
  }

  /** The same in a transaction that has locked the app. A channel has one rule: whatever else led to a version there leads nowhere any more. */
  async setIn(db: Db, { channel: { id } }: AppRecord, rule: TagRule | null, setBy: string): Promise<void> {
    const before = (await this.rules.find(id, db))?.rule;
    if (rule) await this.rules.removeOther(db, id);
    if (before?.kind === rule?.kind && before?.pattern === rule?.pattern) return;
    await this.pushes.skipAll(db, id, { code: 'API_PUSH_SUPERSEDED', message: 'the rule was changed before it was deployed' });
    if (rule) await this.rules.put(db, id, rule, setBy);
    else await this.rules.remove(db, id);
  }

  /** What pushes deploy in a channel; null: nothing. */
  async ruleOf(channelId: string, db?: Db): Promise<TagRule | null> {
    return (await this.rules.find(channelId, db))?.rule ?? null;
  }

  private async show(app: AppRecord): Promise<ShownRule> {
    const { id, channel } = app.channel;
    const [record, pushes] = await Promise.all([this.rules.find(id), this.pushes.list(id)]);
    const view: RuleView = {
      app: app.name as AppName,
      channel: channel as RuleView['channel'],
      rule: record ? { [record.rule.kind]: record.rule.pattern } : null,
      setBy: record?.setBy ?? null,
      setAt: record?.setAt.toISOString() ?? null,
      pushes: pushes.map(toOutcome),
    };
    return { view, etag: etagOfRule(record) };
  }
}

/** One that was removed and made again has another time. */
const etagOfRule = (record: RuleRecord | undefined): string => (record ? `"${record.revision}.${record.setAt.getTime()}"` : '"0"');

const toOutcome = ({ tag, digest, pushedAt, state, version, reason }: TagPushRecord): RuleView['pushes'][number] => ({
  tag, digest, pushedAt: pushedAt.toISOString(), state, version: version as VersionNumber | null, ...(reason && { reason }),
});
