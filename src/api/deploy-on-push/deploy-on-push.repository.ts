import { Injectable } from '@nestjs/common';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { TagRule } from './tag-rule.js';

export interface RuleRecord {
  rule: TagRule;
  revision: number;
  setBy: string;
  /** Pushes from then on count. */
  setAt: Date;
  seenUntil: Date;
  newestTag: string | null;
}

interface RuleRow {
  kind: string;
  pattern: string;
  revision: number;
  setBy: string;
  setAt: Date;
  seenUntil: Date;
  newestTag: string | null;
}

/** The rules of channels, and which control plane deploys for one now. */
@Injectable()
export class DeployOnPushRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(channelId: string, db: Db = this.prisma): Promise<RuleRecord | undefined> {
    const row = await db.deployOnPush.findUnique({ where: { channelId } });
    return row ? toRecord(row) : undefined;
  }

  /** Names of the apps with a rule. */
  async apps(): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ name: string }[]>`
      SELECT a.name FROM deploy_on_push d JOIN channel c ON c.id = d.channel_id JOIN app a ON a.id = c.app_id WHERE a.deleted_at IS NULL ORDER BY a.name`;
    return rows.map(({ name }) => name);
  }

  /** Of those, the ones with a push that is to be deployed, or tried again, now. */
  async appsInArrears(): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ name: string }[]>`
      SELECT DISTINCT a.name FROM tag_push p JOIN channel c ON c.id = p.channel_id JOIN app a ON a.id = c.app_id
      WHERE p.state = 'pending' AND (p.retry_at IS NULL OR p.retry_at <= now()) AND a.deleted_at IS NULL`;
    return rows.map(({ name }) => name);
  }

  /** Another rule takes the place of the one before, which then deploys nothing any more; pushes from now on count. */
  async put(db: Db, channelId: string, { kind, pattern }: TagRule, setBy: string): Promise<void> {
    await db.$executeRaw`
      INSERT INTO deploy_on_push (channel_id, kind, pattern, set_by, set_at, seen_until)
      VALUES (${channelId}::uuid, ${kind}, ${pattern}, ${setBy}, clock_timestamp(), clock_timestamp())
      ON CONFLICT (channel_id) DO UPDATE SET kind = EXCLUDED.kind, pattern = EXCLUDED.pattern, set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at,
        seen_until = EXCLUDED.seen_until, revision = deploy_on_push.revision + 1, newest_tag = NULL, claimed_by = NULL, claimed_until = NULL`;
  }

  /** A rule of another kind, in the channel's settings. */
  async removeOther(db: Db, channelId: string): Promise<void> {
    await db.$executeRaw`UPDATE channel SET rule = NULL, decision = NULL, revision = revision + 1 WHERE id = ${channelId}::uuid AND rule IS NOT NULL`;
  }

  async remove(db: Db, channelId: string): Promise<void> {
    await db.deployOnPush.deleteMany({ where: { channelId } });
  }

  /** False when another control plane has it. */
  async claim(channelId: string, by: string, leaseMs: number): Promise<boolean> {
    const claimed = await this.prisma.$executeRaw`
      UPDATE deploy_on_push SET claimed_by = ${by}::uuid, claimed_until = now() + ${leaseMs} * interval '1 millisecond'
      WHERE channel_id = ${channelId}::uuid AND (claimed_until IS NULL OR claimed_until < now() OR claimed_by = ${by}::uuid)`;
    return claimed > 0;
  }

  /** Nobody else takes the claim, and nobody changes the rule, before the transaction ends. False when it is gone. */
  async holds(db: Db, channelId: string, by: string): Promise<boolean> {
    const rows = await db.$queryRaw<unknown[]>`SELECT 1 FROM deploy_on_push WHERE channel_id = ${channelId}::uuid AND claimed_by = ${by}::uuid FOR UPDATE`;
    return rows.length > 0;
  }

  async release(channelId: string, by: string): Promise<void> {
    await this.prisma.$executeRaw`UPDATE deploy_on_push SET claimed_by = NULL, claimed_until = NULL WHERE channel_id = ${channelId}::uuid AND claimed_by = ${by}::uuid`;
  }

  async seen(db: Db, channelId: string, until: Date): Promise<void> {
    await db.$executeRaw`UPDATE deploy_on_push SET seen_until = GREATEST(seen_until, ${until}) WHERE channel_id = ${channelId}::uuid`;
  }

  async setNewest(db: Db, channelId: string, newestTag: string): Promise<void> {
    await db.deployOnPush.update({ where: { channelId }, data: { newestTag } });
  }

  /** By the database's clock, as are the times of pushes. */
  async now(): Promise<Date> {
    const [row] = await this.prisma.$queryRaw<{ now: Date }[]>`SELECT now()`;
    return row!.now;
  }
}

const toRecord = ({ kind, pattern, revision, setBy, setAt, seenUntil, newestTag }: RuleRow): RuleRecord => ({
  rule: { kind: kind as TagRule['kind'], pattern }, revision, setBy, setAt, seenUntil, newestTag,
});
