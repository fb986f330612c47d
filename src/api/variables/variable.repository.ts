import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { LockedVariable } from '#contract/bundle/locked-app.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { Declarations, StoredVariable } from './variable-views.js';

const DeclarationsJson = z.record(z.string(), LockedVariable);

@Injectable()
export class VariableRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Those that hold in all channels, then, when one is named, those of the channel alone. */
  list(appId: string, channel?: string, db: Db = this.prisma): Promise<StoredVariable[]> {
    const channels = ['', ...(channel === undefined ? [] : [channel])];
    return db.variable.findMany({ where: { appId, channel: { in: channels } }, omit: { appId: true }, orderBy: [{ channel: 'asc' }, { name: 'asc' }] });
  }

  /** Of all channels, those that hold in all of them first. */
  listAll(appId: string, db: Db): Promise<StoredVariable[]> {
    return db.variable.findMany({ where: { appId }, omit: { appId: true }, orderBy: [{ channel: 'asc' }, { name: 'asc' }] });
  }

  /** As `listAll`, of several apps. */
  listOf(appIds: string[]): Promise<(StoredVariable & { appId: string })[]> {
    return this.prisma.variable.findMany({ where: { appId: { in: appIds } }, orderBy: { channel: 'asc' } });
  }

  /** What a version declares; the newest one when no number is given. undefined when there is no such version. */
  async declaredBy(appId: string, number: number | undefined, db: Db = this.prisma): Promise<Declarations | undefined> {
    const [row] = await db.$queryRaw<{ variables: unknown }[]>`
      SELECT locked_app->'variables' AS variables FROM version
      WHERE app_id = ${appId}::uuid AND (${number ?? null}::int IS NULL OR number = ${number ?? null}::int)
      ORDER BY number DESC LIMIT 1`;
    return row && DeclarationsJson.parse(row.variables);
  }

  async put(db: Db, appId: string, { channel, name, secret, value }: StoredVariable): Promise<void> {
    await db.variable.upsert({ where: { appId_channel_name: { appId, channel, name } }, create: { appId, channel, name, secret, value }, update: { secret, value } });
  }

  async remove(db: Db, appId: string, { channel, name }: Pick<StoredVariable, 'channel' | 'name'>): Promise<void> {
    await db.variable.deleteMany({ where: { appId, channel, name } });
  }
}
