import { Injectable } from '@nestjs/common';
import type { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { ChannelScale } from './channel-scale.js';

export interface ScaleRecord {
  scale: ChannelScale;
  /** 0: nobody has set it. */
  revision: number;
}

@Injectable()
export class ScaleRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(channelId: string, db: Db = this.prisma): Promise<ScaleRecord> {
    const row = await db.channelScale.findUnique({ where: { channelId } });
    return { scale: ChannelScale.parse(row?.settings ?? {}), revision: row?.revision ?? 0 };
  }

  /** In a transaction that holds the lock of the channel's app. */
  async put(db: Db, channelId: string, { scale, revision }: ScaleRecord, setBy: string): Promise<void> {
    const settings = scale as Prisma.InputJsonValue;
    await db.channelScale.upsert({ where: { channelId }, create: { channelId, settings, revision, setBy }, update: { settings, revision, setBy, setAt: new Date() } });
  }
}
