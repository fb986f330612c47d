import type { KeyHash } from '#contract/node-identity.js';
import type { AuthorityRecord, AuthorityState } from './authority.js';

/**
 * How one key takes the place of another, for CAs and for the keys of statements:
 *
 *     trusted ──(every live node has the bundle with it)──▶ signing ──(another signs)──▶ retiring ──(nobody needs it)──▶ gone
 *
 * A key that is retiring is needed as long as a certificate of it may be shown, or a node holds a statement that is signed with it. A node
 * that was away while a CA changed still gets in: certificates come with the new CA's, signed by the old one.
 */

/** A node that asked for the trust bundle within this time is live: its polls last 25 s. */
export const LIVE_MS = 60_000;
/** How old what a replica knows of keys may be. Each step lasts longer. */
export const SETTLE_MS = 4_000;

export interface Acknowledgement {
  node: string;
  /** The bundle that it has. */
  trustRevision: string | null;
  trustSeenAt: Date | null;
  statementKeys: readonly string[];
  /** End of its certificate: until then it may come back by itself. */
  expiresAt: Date;
}

export interface RotationSituation {
  /** Those that are not gone. */
  authorities: readonly Pick<AuthorityRecord, 'id' | 'kind' | 'state' | 'lastExpiry' | 'changedAt'>[];
  /** Of all nodes that were not removed. */
  nodes: readonly Acknowledgement[];
  /** Of the bundle as it is now. */
  revision: string;
  now: Date;
}

export interface AuthorityChange {
  id: KeyHash;
  state: Exclude<AuthorityState, 'trusted'>;
}

/** What is due. */
export function nextChanges(situation: RotationSituation): AuthorityChange[] {
  const { authorities, now } = situation;
  const settled = authorities.filter(({ changedAt }) => now.getTime() - changedAt.getTime() >= SETTLE_MS);
  return settled.flatMap((authority): AuthorityChange[] => {
    if (authority.state === 'trusted' && waitingFor(situation).length === 0) {
      const before = authorities.filter(({ kind, state }) => kind === authority.kind && state === 'signing');
      return [{ id: authority.id, state: 'signing' }, ...before.map(({ id }) => ({ id, state: 'retiring' as const }))];
    }
    return authority.state === 'retiring' && !isNeeded(authority, situation) ? [{ id: authority.id, state: 'gone' }] : [];
  });
}

/** Live nodes that do not have the bundle as it is now. */
export function waitingFor({ nodes, revision, now }: RotationSituation): string[] {
  return nodes.filter((node) => isLive(node, now) && node.trustRevision !== revision).map(({ node }) => node);
}

/** Some node, or a control plane, could not do without it. */
function isNeeded({ id, kind, lastExpiry, changedAt }: RotationSituation['authorities'][number], { nodes, now }: RotationSituation): boolean {
  if (kind === 'tls') return lastExpiry !== null && now < lastExpiry;
  // What a live node holds is known when it has asked since; one that comes back while its certificate is valid has what it had.
  const isAskedSince = now.getTime() - changedAt.getTime() >= LIVE_MS;
  return !isAskedSince || nodes.some(({ statementKeys, expiresAt }) => now < expiresAt && statementKeys.includes(id));
}

function isLive({ trustSeenAt }: Acknowledgement, now: Date): boolean {
  return trustSeenAt !== null && now.getTime() - trustSeenAt.getTime() < LIVE_MS;
}
