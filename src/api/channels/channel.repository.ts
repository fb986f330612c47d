import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { ChannelLock } from './channel-lock.js';
import { type RuledVersion, semverOf, StoredRule } from './channel-rule.js';
import { FreezeWindows } from './freeze-window.js';

/** What a rule came to last. */
export const RuleDecision = z.object({
  at: z.iso.datetime(),
  outcome: z.enum(['rolled-out', 'kept', 'refused']).describe('rolled-out: a rollout to the version was begun, or was under way. kept: what is served stays. refused: the rollout was not begun, `why` says the reason.'),
  version: z.int().nullable().describe('What the decision was about.'),
  why: z.string(),
  rollout: z.int().nullable().describe('Number of the rollout.'),
});
export type RuleDecision = z.infer<typeof RuleDecision>;

const Settings = z.object({ rule: StoredRule.nullable(), decision: RuleDecision.nullable(), lock: ChannelLock.nullable(), freeze: FreezeWindows.nullable().transform((windows) => windows ?? []) });
export type ChannelSettings = z.infer<typeof Settings> & { createdAt: Date; now: Date };

export type SettingsChange = Partial<Pick<z.infer<typeof Settings>, 'rule' | 'lock' | 'freeze'>>;

interface SettingsRow {
  rule: unknown;
  decision: unknown;
  lock: unknown;
  freeze: unknown;
  created_at: Date;
  now: Date;
}

/** What a channel holds that goes with it. */
export interface Belongings {
  variables: number;
  storeLinks: number;
  runtimeConfig: boolean;
  deployments: number;
}

/** Rule, lock and freeze windows of channels. */
@Injectable()
export class ChannelRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** With the time by the database's clock. */
  async settings(channelId: string, db: Db = this.prisma): Promise<ChannelSettings> {
    const [row] = await db.$queryRaw<SettingsRow[]>`SELECT rule, decision, lock, "freeze", created_at, clock_timestamp() AS now FROM channel WHERE id = ${channelId}::uuid`;
    return { ...Settings.parse(row), createdAt: row!.created_at, now: row!.now };
  }

  async change(db: Db, channelId: string, change: SettingsChange): Promise<void> {
    const data = Object.fromEntries(Object.entries(change).map(([key, value]) => [key, value ?? Prisma.DbNull]));
    await db.channel.update({ where: { id: channelId }, data: { ...data, ...(change.rule !== undefined && { decision: Prisma.DbNull }), revision: { increment: 1 } } });
  }

  async note(db: Db, channelId: string, decision: RuleDecision): Promise<void> {
    await db.channel.update({ where: { id: channelId }, data: { decision } });
  }

  async belongings(db: Db, appId: string, { id, channel }: { id: string; channel: string }): Promise<Belongings> {
    const of = { appId, channel };
    const [variables, storeLinks, configs, deployments] = [
      await db.variable.count({ where: of }), await db.storeLink.count({ where: of }),
      await db.runtimeConfig.count({ where: { place: `channel/${appId}/${channel}` } }), await db.deployment.count({ where: { channelId: id } }),
    ];
    return { variables, storeLinks, runtimeConfig: configs > 0, deployments };
  }

  /** Versions as rules look at them: those given, or all that can be served and did not fail. */
  async versions(db: Db, appId: string, numbers: readonly number[] | null): Promise<RuledVersion[]> {
    const rows = await db.$queryRaw<{ number: number; version: string | null; reference: string | null }[]>`
      SELECT number, locked_app->>'version' AS version, image_reference AS reference FROM version
      WHERE app_id = ${appId}::uuid AND CASE WHEN ${numbers}::int[] IS NULL THEN collected_at IS NULL AND failure IS NULL ELSE number = ANY(${numbers}::int[]) END`;
    return rows.map(({ number, version, reference }) => ({ number, semver: semverOf(version ?? undefined, reference) }));
  }
}
