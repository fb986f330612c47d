import { Injectable } from '@nestjs/common';
import type { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { RolloutSettings } from './settings.js';

@Injectable()
export class SettingsRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(channelId: string, db: Db = this.prisma): Promise<RolloutSettings> {
    const row = await db.channel.findUnique({ where: { id: channelId }, select: { rolloutSettings: true } });
    return RolloutSettings.parse(row?.rolloutSettings ?? {});
  }

  async put(db: Db, channelId: string, settings: RolloutSettings): Promise<void> {
    await db.channel.update({ where: { id: channelId }, data: { rolloutSettings: settings as Prisma.InputJsonValue } });
  }

  /** Of a version that is there. */
  async manifest(db: Db, appId: string, number: number): Promise<string> {
    return (await db.version.findUniqueOrThrow({ where: { appId_number: { appId, number } }, select: { manifest: true } })).manifest;
  }
}
