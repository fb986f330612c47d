import { Injectable } from '@nestjs/common';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { ChannelPolicy, NO_CHANNEL_POLICY } from './channel-policy.js';

@Injectable()
export class PolicyRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(channelId: string, db: Db = this.prisma): Promise<ChannelPolicy> {
    const row = await db.channel.findUnique({ where: { id: channelId }, select: { policy: true } });
    return row?.policy ? ChannelPolicy.parse(row.policy) : NO_CHANNEL_POLICY;
  }

  async put(db: Db, channelId: string, policy: ChannelPolicy): Promise<void> {
    await db.channel.update({ where: { id: channelId }, data: { policy: policy as Prisma.InputJsonValue } });
  }

  /** Whether some deployment of the channel gave the version traffic. */
  async wasServed(db: Db, channelId: string, version: number): Promise<boolean> {
    const [row] = await db.$queryRaw<unknown[]>`
      SELECT 1 FROM deployment d, jsonb_array_elements(d.serve) s
      WHERE d.channel_id = ${channelId}::uuid AND (s->>'version')::int = ${version} AND (s->>'percent')::numeric > 0 LIMIT 1`;
    return row !== undefined;
  }

  /** Name of the token that pushed a version. */
  async pushedBy(db: Db, appId: string, number: number): Promise<string> {
    const { pushedBy } = await db.version.findUniqueOrThrow({ where: { appId_number: { appId, number } }, select: { pushedBy: true } });
    return pushedBy;
  }
}
