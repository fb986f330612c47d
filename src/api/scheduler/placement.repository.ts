import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { notify, PrismaService } from '#platform/prisma/prisma.service.js';
import { PLACEMENT_QUESTIONS_TOPIC } from '../topics.js';
import type { LeadSummary, PlacementAnswer } from './lead/lead-summary.js';
import { ChannelPlacementRow } from './placement-row.js';
import type { ChannelPlacement } from './placement/placement.js';

export interface LeadRecord {
  leader: string | null;
  epoch: number;
  since: Date | null;
  passedAt: Date | null;
  /** It looked within the last seconds. */
  isLed: boolean;
  summary: LeadSummary | null;
}

/** A leader that has not looked for so long is none. */
const LEADERLESS_AFTER_MS = 5_000;

/** What the leader wrote. */
@Injectable()
export class PlacementRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(channelId: string): Promise<ChannelPlacement | null> {
    const row = await this.prisma.placement.findUnique({ where: { channelId } });
    return row && ChannelPlacementRow.parse(row);
  }

  async lead(): Promise<LeadRecord> {
    const [row] = await this.prisma.$queryRaw<[LeadRecord]>`
      SELECT leader, epoch, since, passed_at AS "passedAt", summary,
        COALESCE(passed_at > now() - ${LEADERLESS_AFTER_MS} * interval '1 millisecond', false) AS "isLed" FROM placement_lead WHERE id = 1`;
    return row;
  }

  /** Asks the leader why a channel is where it is. Answers the question's id. */
  async ask(channelId: string): Promise<string> {
    const id = randomUUID();
    await this.prisma.transaction(async (db) => {
      await db.placementQuestion.create({ data: { id, channelId } });
      await notify(db, PLACEMENT_QUESTIONS_TOPIC);
    });
    return id;
  }

  /** undefined: not answered yet. */
  async answer(id: string): Promise<PlacementAnswer | undefined> {
    const row = await this.prisma.placementQuestion.findUnique({ where: { id } });
    return row?.answer ? (row.answer as unknown as PlacementAnswer) : undefined;
  }

  async forget(id: string): Promise<void> {
    await this.prisma.placementQuestion.deleteMany({ where: { id } });
  }
}
