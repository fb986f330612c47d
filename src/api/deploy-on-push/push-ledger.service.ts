import { Injectable } from '@nestjs/common';
import { Registry } from '#contract/registry.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { DeployOnPushRepository, type RuleRecord } from './deploy-on-push.repository.js';
import { TagPushRepository, type Reason, type TagPushRecord } from './tag-push.repository.js';
import { decide, matchesRule } from './tag-rule.js';

/** Keeps account of pushes of tags that a channel deploys: which there were, which is next, what became of each. */
@Injectable()
export class PushLedger {
  constructor(
    private readonly rules: DeployOnPushRepository,
    private readonly pushes: TagPushRepository,
    private readonly registry: Registry,
    private readonly prisma: PrismaService,
  ) {}

  /**
   * Notes what was pushed since, and gives what is to be deployed next; those that another one goes before are skipped for good. Undefined:
   * nothing is to be done now. `lookBackMs`: pushes may become visible so long after their time.
   */
  async next(app: AppRecord, lookBackMs: number): Promise<TagPushRecord | undefined> {
    const { id } = app.channel;
    const record = await this.rules.find(id);
    if (!record) return undefined;
    await this.note(app, record, lookBackMs);
    const { chosen, skipped } = decide(record.rule, await this.pushes.pending(id), record.newestTag);
    for (const { push, reason } of skipped) await this.pushes.endAs([push.id], 'skipped', { code: 'API_PUSH_SUPERSEDED', message: reason });
    return chosen?.retryAt && chosen.retryAt > (await this.rules.now()) ? undefined : chosen;
  }

  /** In the transaction that makes its version. */
  async deployed(db: Db, push: TagPushRecord, version: number): Promise<void> {
    await this.pushes.deployed(db, push.id, version);
    const record = await this.rules.find(push.channelId, db);
    if (record?.rule.kind === 'semver') await this.rules.setNewest(db, push.channelId, push.tag);
  }

  async failed(push: TagPushRecord, reason: Reason): Promise<void> {
    await this.pushes.endAs([push.id], 'failed', reason);
  }

  async putOff(push: TagPushRecord, reason: Reason, retryMs: number): Promise<void> {
    await this.pushes.putOff(push.id, reason, retryMs);
  }

  private async note(app: AppRecord, { rule, setAt, seenUntil }: RuleRecord, lookBackMs: number): Promise<void> {
    const since = new Date(Math.max(setAt.getTime(), seenUntil.getTime() - lookBackMs));
    const pushed = await this.registry.pushedTags(since, app.name);
    const matching = pushed.filter(({ tag }) => matchesRule(rule, tag));
    const last = pushed.at(-1);
    if (!last || (matching.length === 0 && last.pushedAt <= seenUntil)) return;
    await this.prisma.transaction(async (db) => {
      await this.pushes.note(db, app.channel.id, matching);
      await this.rules.seen(db, app.channel.id, last.pushedAt);
      await this.pushes.forget(db, app.channel.id);
    });
  }
}
