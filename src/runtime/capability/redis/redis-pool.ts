import type { GuestGrant } from '../guest.js';
import type { RedisAddress } from './redis-address.js';
import { RedisFault } from './redis-fault.js';
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

/** The connections of one app in this process. */
class AppLinks {
  open = 0;
  /** Those that nobody has, in the order in which they were given back. */
  private readonly kept: KeptLink[] = [];

  constructor(private readonly onEmpty: () => void) {}

  enter(): void {
    this.open++;
  }

  leave(): void {
    if (--this.open === 0) this.onEmpty();
  }

  /** The one given back last; undefined: there is none. */
  take(key: string, runtime: GuestGrant['runtime']): RedisLink | undefined {
    for (;;) {
      const at = this.kept.findLastIndex((each) => each.key === key);
      if (at < 0) return undefined;
      const { link, runtime: before } = this.remove(at);
      if (before === runtime) return link;
      link.close();
    }
  }

  keep(link: RedisLink, key: string, runtime: GuestGrant['runtime']): void {
    if (this.kept.length >= MAX_IDLE) this.closeOldest();
    const timer = setTimeout(() => link.close(), IDLE_MS).unref();
    this.kept.push({ link, key, runtime, timer });
  }

  /** False: none is kept. */
  closeOldest(): boolean {
    if (this.kept.length === 0) return false;
    this.kept[0]!.link.close();
    return true;
  }

  closed(link: RedisLink): void {
    const at = this.kept.findIndex((each) => each.link === link);
    if (at >= 0) this.remove(at);
    this.leave();
  }

  private remove(at: number): KeptLink {
    const [removed] = this.kept.splice(at, 1);
    clearTimeout(removed!.timer);
    return removed!;
  }
}

const apps = new Map<string, AppLinks>();

function linksOf({ org, app }: GuestGrant): AppLinks {
  const key = `${org}/${app}`;
  let links = apps.get(key);
  if (!links) apps.set(key, (links = new AppLinks(() => apps.delete(key))));
  return links;
}

/** Only the same component with the same credentials meets a connection again. */
const keyOf = ({ component }: GuestGrant, address: RedisAddress): string => JSON.stringify([component, address]);

/**
 * A connection for one user alone: one that is kept, else a new one. Throws or rejects with a RedisFault `too-many-connections` when the
 * app has as many in this process as the operator allows, and rejects as `RedisLink.open` does.
 */
export function acquireLink(grant: GuestGrant, address: RedisAddress): RedisLink | Promise<RedisLink> {
  const links = linksOf(grant);
  const kept = links.take(keyOf(grant, address), grant.runtime);
  if (kept) {
    kept.hold(true);
    return kept;
  }
  const { maxConnections } = grant.runtime.outboundRedis;
  if (maxConnections !== undefined && links.open >= maxConnections && !links.closeOldest()) throw new RedisFault({ tag: 'too-many-connections' });
  return openLink(links, grant, address);
}

async function openLink(links: AppLinks, grant: GuestGrant, address: RedisAddress): Promise<RedisLink> {
  links.enter();
  try {
    const link = await RedisLink.open(grant, address);
    if (link.isOpen) link.onClose = () => links.closed(link);
    else links.leave();
    return link;
  } catch (error) {
    links.leave();
    throw error;
  }
}

/** Gives a connection back. One that is not as it was made, or at work, is closed: the next user must find nothing of this one. */
export function releaseLink(grant: GuestGrant, address: RedisAddress, link: RedisLink, isClean: boolean): void {
  if (!link.isOpen) return;
  link.memory = null;
  if (!isClean || !link.isIdle) return link.close();
  link.hold(false);
  linksOf(grant).keep(link, keyOf(grant, address), grant.runtime);
}
