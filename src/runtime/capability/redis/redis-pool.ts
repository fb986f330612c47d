import type { GuestGrant } from '../guest.js';
import { noteIdle } from '../outbound/connection-budget.js';
import type { RedisAddress } from './redis-address.js';
import { RedisLink } from './redis-link.js';

/** A connection that nobody has is closed after this long. */
const IDLE_MS = 10_000;
/** Connections that an app keeps for its next invocations; the one kept for longest gives way. */
const MAX_IDLE = 64;

interface KeptLink {
  link: RedisLink;
  key: string;
  /** The configuration it was opened under: another one may not allow the address. */
  runtime: GuestGrant['runtime'];
  timer: NodeJS.Timeout;
}

/** Connections that nobody has, by app, in the order in which they were given back. */
const keptOf = new Map<string, KeptLink[]>();

const appOf = ({ org, app }: GuestGrant): string => `${org}/${app}`;
/** Only the same component with the same credentials meets a connection again. */
const keyOf = ({ component }: GuestGrant, address: RedisAddress): string => JSON.stringify([component, address]);

/** A connection for one user alone: one that was kept, else a new one. Rejects as `RedisLink.open` does. */
export function acquireLink(grant: GuestGrant, address: RedisAddress): RedisLink | Promise<RedisLink> {
  const key = keyOf(grant, address);
  for (;;) {
    const kept = keptOf.get(appOf(grant))?.findLast((each) => each.key === key);
    if (!kept) return RedisLink.open(grant, address);
    remove(appOf(grant), kept.link);
    if (kept.runtime !== grant.runtime) kept.link.close();
    else {
      kept.link.setIdle(false);
      return kept.link;
    }
  }
}

/** Gives a connection back. One that is not as it was made, or at work, is closed: the next user must find nothing of this one. */
export function releaseLink(grant: GuestGrant, address: RedisAddress, link: RedisLink, isClean: boolean): void {
  if (!link.isOpen) return;
  link.memory = null;
  if (!isClean || !link.hasAnswered) return link.close();
  const app = appOf(grant);
  const kept = keptOf.get(app) ?? [];
  if (kept.length >= MAX_IDLE) kept[0]!.link.close();
  keptOf.set(app, kept);
  kept.push({ link, key: keyOf(grant, address), runtime: grant.runtime, timer: setTimeout(() => link.close(), IDLE_MS).unref() });
  link.onClose = () => remove(app, link);
  link.setIdle(true);
  noteIdle(grant);
}

function remove(app: string, link: RedisLink): void {
  const kept = keptOf.get(app) ?? [];
  const at = kept.findIndex((each) => each.link === link);
  if (at < 0) return;
  clearTimeout(kept[at]!.timer);
  kept.splice(at, 1);
  if (kept.length === 0) keptOf.delete(app);
}
