import { Injectable } from '@nestjs/common';
import type { BlobDigest } from '#contract/ids.js';
import type { PushedTag } from '#contract/registry.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';

export interface Reason {
  code: string;
  message: string;
}

export interface TagPushRecord {
  id: bigint;
  channelId: string;
  tag: string;
  digest: BlobDigest;
  pushedAt: Date;
  /** Name of the token; null: not known. */
  pushedBy: string | null;
  state: 'pending' | 'deployed' | 'skipped' | 'failed';
  version: number | null;
  reason: Reason | null;
  retryAt: Date | null;
}

/** What pushes are kept for people to see. */
const KEPT = 50;
/** Much longer than pushes are looked for again: one that is forgotten must not seem new. */
const FORGET_AFTER = Prisma.sql`interval '1 hour'`;

/** Pushes of tags that a channel deploys, each once, and what became of them. */
@Injectable()
export class TagPushRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Notes pushes; those that are noted already stay as they are. */
  async note(db: Db, channelId: string, pushes: readonly PushedTag[]): Promise<void> {
    await db.tagPush.createMany({ data: pushes.map(({ tag, digest, pushedAt, pushedBy = null }) => ({ channelId, tag, digest, pushedAt, pushedBy })), skipDuplicates: true });
  }

  async pending(channelId: string): Promise<TagPushRecord[]> {
    return (await this.prisma.tagPush.findMany({ where: { channelId, state: 'pending' }, orderBy: { id: 'asc' } })) as unknown as TagPushRecord[];
  }

  /** The latest first. */
  async list(channelId: string): Promise<TagPushRecord[]> {
    return (await this.prisma.tagPush.findMany({ where: { channelId }, orderBy: [{ pushedAt: 'desc' }, { id: 'desc' }], take: KEPT })) as unknown as TagPushRecord[];
  }

  async deployed(db: Db, id: bigint, version: number): Promise<void> {
    await db.tagPush.update({ where: { id }, data: { state: 'deployed', version, reason: Prisma.DbNull, retryAt: null, endedAt: new Date() } });
  }

  async endAs(ids: readonly bigint[], state: 'skipped' | 'failed', reason: Reason): Promise<void> {
    await this.prisma.tagPush.updateMany({ where: { id: { in: [...ids] }, state: 'pending' }, data: { state, reason: { ...reason }, retryAt: null, endedAt: new Date() } });
  }

  /** It stays pending, and is tried again later. */
  async putOff(id: bigint, reason: Reason, retryMs: number): Promise<void> {
    await this.prisma.$executeRaw`
      UPDATE tag_push SET reason = ${JSON.stringify(reason)}::jsonb, retry_at = now() + ${retryMs} * interval '1 millisecond' WHERE id = ${id} AND state = 'pending'`;
  }

  /** Those of a rule that is no more are not deployed. */
  async skipAll(db: Db, channelId: string, reason: Reason): Promise<void> {
    await db.tagPush.updateMany({ where: { channelId, state: 'pending' }, data: { state: 'skipped', reason: { ...reason }, retryAt: null, endedAt: new Date() } });
  }

  /** Those that nobody sees any more. */
  async forget(db: Db, channelId: string): Promise<void> {
    await db.$executeRaw`
      DELETE FROM tag_push WHERE channel_id = ${channelId}::uuid AND ended_at < now() - ${FORGET_AFTER} AND pushed_at < now() - ${FORGET_AFTER}
        AND id NOT IN (SELECT id FROM tag_push WHERE channel_id = ${channelId}::uuid ORDER BY pushed_at DESC, id DESC LIMIT ${KEPT})`;
  }
}
