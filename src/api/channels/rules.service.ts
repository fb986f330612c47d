import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { RolloutsService } from '../rollouts/rollouts.service.js';
import { ChannelRepository, type RuleDecision } from './channel.repository.js';
import { type Choice, onPush, onSet } from './channel-rule.js';

/** A version that was pushed, by whose token. */
interface Pushed {
  number: number;
  by: string;
  /** See `RolloutCall`. */
  requestId?: string | undefined;
}

/** Carries out what the rules of channels come to. */
@Injectable()
export class RulesService {
  constructor(
    private readonly repository: ChannelRepository,
    private readonly apps: AppsService,
    private readonly rollouts: RolloutsService,
  ) {}

  /** Whether a rule alone decides about versions that are pushed without a word about this channel. */
  async rules(db: Db, app: AppRecord): Promise<boolean> {
    return (await this.repository.settings(app.channel.id, db)).rule !== null;
  }

  /**
   * A version of an app that is locked was pushed: begins what the rules of its channels, but for one, come to. What a channel refuses is noted there, and
   * keeps nobody else.
   */
  async follow(db: Db, app: AppRecord, pushed: Pushed, except?: string): Promise<void> {
    for (const lane of await this.apps.lanes(app.name, db)) {
      if (lane.channel.id === except) continue;
      try {
        await this.followIn(db, lane, pushed);
      } catch (error) {
        // Whatever refuses a rollout does so before anything is written.
        if (!(error instanceof WhorlError)) throw error;
        await this.note(db, lane, { outcome: 'refused', version: pushed.number, why: `${error.code}: ${error.message}`, rollout: null });
      }
    }
  }

  /** The same for one channel. Answers the rollout that was begun, or joined. Throws what a rollout that cannot begin does. */
  async followIn(db: Db, lane: AppRecord, { number, by, requestId }: Pushed): Promise<Awaited<ReturnType<RolloutsService['start']>>> {
    const { rule } = await this.repository.settings(lane.channel.id, db);
    if (!rule) return undefined;
    const target = lane.rollout?.version ?? lane.channel.serve.at(-1)?.version ?? null;
    const known = await this.repository.versions(db, lane.id, [number, ...(target === null ? [] : [target])]);
    const find = (wanted: number | null) => known.find((each) => each.number === wanted) ?? null;
    return this.carry(db, lane, onPush(rule, find(number)!, find(target)), { number, by, requestId });
  }

  /** A rule was set in a channel of an app that is locked: begins what it comes to. Throws what a rollout that cannot begin does. */
  async apply(db: Db, lane: AppRecord, by: string): Promise<void> {
    const { rule } = await this.repository.settings(lane.channel.id, db);
    if (rule) await this.carry(db, lane, onSet(rule, await this.repository.versions(db, lane.id, null)), { number: null, by });
  }

  private async carry(db: Db, lane: AppRecord, { version, why }: Choice, { number, by, requestId }: Omit<Pushed, 'number'> & { number: number | null }): Promise<Awaited<ReturnType<RolloutsService['start']>>> {
    if (version === null) return void (await this.note(db, lane, { outcome: 'kept', version: number, why, rollout: null }));
    const rollout = await this.rollouts.start(db, lane, version, { cause: 'rule', causedBy: by, requestId });
    await this.note(db, lane, { outcome: 'rolled-out', version, why, rollout: rollout ? Number(rollout.id) : null });
    return rollout;
  }

  private async note(db: Db, lane: AppRecord, decision: Omit<RuleDecision, 'at'>): Promise<void> {
    await this.repository.note(db, lane.channel.id, { at: new Date().toISOString(), ...decision });
  }
}
