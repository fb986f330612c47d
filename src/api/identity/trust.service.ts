import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Authorities, TrustBundle } from '#contract/node-join.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { Wakeups } from '#platform/wakeups.js';
import { TRUST_TOPIC } from '../topics.js';
import type { AuthorityKind, AuthorityRecord } from './authority.js';
import { IdentityRepository } from './identity.repository.js';
import { KeyringService } from './keyring.service.js';

export interface TrustPoll {
  /** The revision that the node has. */
  after: string | undefined;
  waitS: number;
  /** Keys that what it holds is signed with. */
  keys: string[];
}

/** What nodes believe. */
@Injectable()
export class TrustService {
  constructor(
    private readonly keyring: KeyringService,
    private readonly identities: IdentityRepository,
    private readonly wakeups: Wakeups,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  async authorities(): Promise<Authorities> {
    const { authorities } = await this.keyring.current();
    return { authorities: certificatesOf(authorities) };
  }

  /** What counts now. */
  async bundle(): Promise<TrustBundle> {
    const [{ authorities, signers }, denied] = await Promise.all([this.keyring.current(), this.identities.denied()]);
    const bundle = {
      authorities: certificatesOf(authorities),
      signs: signers.tls.id,
      keys: ofKind(authorities, 'statements').map(({ id, publicKey }) => ({ id, publicKey: Buffer.from(publicKey).toString('base64') })),
      denied,
      controlPlanes: this.config.WHORL_NODES_URLS ?? [],
    };
    return { revision: createHash('sha256').update(JSON.stringify(bundle)).digest('base64url'), ...bundle };
  }

  /** The bundle, for a node that has the one of `after`: at once when the two differ, else when it changes, the time is up or the signal aborts. */
  async next(node: string, { after, waitS, keys }: TrustPoll, signal: AbortSignal): Promise<TrustBundle> {
    await this.identities.seen(node, after ?? null, keys);
    let bundle = await this.bundle();
    if (bundle.revision === after) {
      await this.wakeups.wait(
        [TRUST_TOPIC],
        async () => {
          bundle = await this.bundle();
          return bundle.revision !== after || undefined;
        },
        { timeoutMs: waitS * 1_000, signal },
      );
    }
    return bundle;
  }
}

const ofKind = (authorities: readonly AuthorityRecord[], kind: AuthorityKind): AuthorityRecord[] => authorities.filter((each) => each.kind === kind);

function certificatesOf(authorities: readonly AuthorityRecord[]): Authorities['authorities'] {
  return ofKind(authorities, 'tls').flatMap(({ id, certificate }) => (certificate === null ? [] : [{ id, certificate }]));
}
