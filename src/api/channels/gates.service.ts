import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { ChannelRepository } from './channel.repository.js';
import { type AskedRollout, type Forced, type Held, heldBy, refusalOf } from './gate.js';

export interface Admission {
  /** What it waits for. */
  held: Held | null;
  forced: Forced | null;
}

/** Whether rollouts of a channel may begin, and go on. */
@Injectable()
export class GatesService {
  constructor(private readonly repository: ChannelRepository) {}

  /**
   * Lets a rollout of an app that is locked begin, maybe to wait. Throws API_CHANNEL_LOCKED, API_CHANNEL_FROZEN, API_CHANNEL_PINNED; with `forcedBy`, the name
   * of a token, it goes over them, and it is said what was there.
   */
  async admit(db: Db, { name, channel }: AppRecord, asked: AskedRollout, forcedBy: string | undefined): Promise<Admission> {
    const facts = await this.repository.settings(channel.id, db);
    const nowMs = facts.now.getTime();
    const held = heldBy(facts, asked.cause, nowMs);
    const refusal = refusalOf(facts, asked, nowMs);
    if (forcedBy !== undefined) return { held: null, forced: { by: forcedBy, over: refusal?.message ?? held?.reason ?? '' } };
    if (refusal) throw new WhorlError(refusal.code, `version ${asked.version} of ${name} is not rolled out in the channel ${channel.channel}: ${refusal.message}`);
    return { held, forced: null };
  }

  /** What a rollout under way waits for at this time; null: it goes on. */
  async heldBy(db: Db, rollout: { channelId: string; cause: string; forced: Forced | null }, now: Date): Promise<Held | null> {
    return rollout.forced ? null : heldBy(await this.repository.settings(rollout.channelId, db), rollout.cause, now.getTime());
  }
}
