import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import { notify } from '#platform/prisma/prisma.service.js';
import { TRUST_TOPIC } from '../topics.js';
import type { AuthorityRecord } from './authority.js';
import { AuthorityRepository } from './authority.repository.js';
import { IdentityRepository } from './identity.repository.js';
import type { NewRotation, RotationView } from './identity.schema.js';
import { KeyringService } from './keyring.service.js';
import { nextChanges, type RotationSituation, waitingFor } from './rotation.js';
import { TrustService } from './trust.service.js';

const TICK_MS = 1_000;

/** Puts new keys in the place of old ones. Any replica moves a rotation along: what to do is decided from the tables alone. */
@Injectable()
export class RotationService implements OnApplicationBootstrap {
  // oxlint-disable-next-line max-params -- what is injected
  constructor(
    private readonly authorities: AuthorityRepository,
    private readonly identities: IdentityRepository,
    private readonly keyring: KeyringService,
    private readonly trust: TrustService,
    private readonly lifetime: Lifetime,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    void this.run(this.lifetime.signal);
  }

  /** Makes a new key of each kind and announces it; the rest goes by itself. Throws API_ROTATION_RUNNING. */
  async begin({ kinds }: NewRotation): Promise<RotationView> {
    await this.authorities.exclusively(async (db) => {
      const present = await this.authorities.list(db);
      for (const kind of new Set(kinds)) {
        if (present.some((each) => each.kind === kind && each.state === 'trusted')) throw new WhorlError('API_ROTATION_RUNNING', `a new key for ${kind} is being announced to the nodes`);
        await this.keyring.announce(db, kind);
      }
      await notify(db, TRUST_TOPIC);
    });
    return this.view();
  }

  async view(): Promise<RotationView> {
    const situation = await this.situation();
    const keys = situation.authorities.map(({ id, kind, state, createdAt, changedAt, lastExpiry }) => ({
      id, kind, state: state as Exclude<typeof state, 'gone'>, createdAt: createdAt.toISOString(), changedAt: changedAt.toISOString(), neededUntil: lastExpiry?.toISOString() ?? null,
    }));
    return { keys, waitingFor: waitingFor(situation) };
  }

  /** Takes the steps that are due. */
  async advance(): Promise<void> {
    const steady = (await this.authorities.list()).every(({ state }) => state === 'signing');
    if (steady) return;
    await this.authorities.exclusively(async (db) => {
      const changes = nextChanges({ ...(await this.situation()), authorities: await this.authorities.list(db) });
      // A kind has one key that signs: the one before ends to first.
      for (const change of [...changes].reverse()) {
        await this.authorities.change(db, change);
        this.log.info('a key of the platform changes its state', { ...change });
      }
      if (changes.length > 0) await notify(db, TRUST_TOPIC);
    });
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(TICK_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      await this.advance().catch((error: unknown) => this.log.warn('the platform\'s keys could not be looked at', { error }));
    }
  }

  private async situation(): Promise<Omit<RotationSituation, 'authorities'> & { authorities: readonly AuthorityRecord[] }> {
    const [authorities, nodes, { revision }] = await Promise.all([this.authorities.list(), this.identities.list(), this.trust.bundle()]);
    return { authorities, nodes, revision, now: new Date() };
  }
}
