import type { GuestGrant } from '../guest.js';
import { noteIdle } from '../outbound/connection-budget.js';
import { MqttLink, type MqttLogin } from './mqtt-link.js';

/** A connection that nobody uses is closed after this long. */
const IDLE_MS = 10_000;

interface SharedLink {
  link: Promise<MqttLink>;
  users: number;
  idleTimer: NodeJS.Timeout | null;
}

/** All of this process, by what makes each what it is. */
const links = new Map<string, SharedLink>();

/** Numbers configurations: a connection made under another one may go where this one does not let it. */
const runtimes = new WeakMap<GuestGrant['runtime'], number>();
let runtimesSeen = 0;

function runtimeNumber(runtime: GuestGrant['runtime']): number {
  let number = runtimes.get(runtime);
  if (number === undefined) runtimes.set(runtime, (number = ++runtimesSeen));
  return number;
}

/**
 * Calls `use` with a connection of the component: all its invocations in this process publish over one, since a broker lets a client's id
 * in once, and publishing leaves nothing behind in a connection. Rejects as `MqttLink.open` and `use` do.
 */
export async function withLink(grant: GuestGrant, login: MqttLogin, use: (link: MqttLink) => Promise<void>): Promise<void> {
  const key = JSON.stringify([grant.org, grant.app, grant.component, runtimeNumber(grant.runtime), login]);
  const shared = links.get(key) ?? openShared(grant, key, login);
  shared.users++;
  if (shared.idleTimer) clearTimeout(shared.idleTimer);
  try {
    const link = await shared.link;
    link.setIdle(false);
    await use(link);
  } finally {
    shared.users--;
    if (shared.users === 0) await rest(grant, shared);
  }
}

function openShared(grant: GuestGrant, key: string, login: MqttLogin): SharedLink {
  const shared: SharedLink = { link: MqttLink.open(grant, login), users: 0, idleTimer: null };
  links.set(key, shared);
  const forget = () => {
    if (links.get(key) === shared) links.delete(key);
    if (shared.idleTimer) clearTimeout(shared.idleTimer);
  };
  shared.link.then((link) => {
    link.onClose = forget;
    if (!link.isOpen) forget();
  }, forget);
  return shared;
}

/** Nobody uses it now. */
async function rest(grant: GuestGrant, shared: SharedLink): Promise<void> {
  const link = await shared.link.catch(() => null);
  if (!link?.isOpen || shared.users > 0) return;
  shared.idleTimer = setTimeout(() => link.close(), IDLE_MS).unref();
  link.setIdle(true);
  noteIdle(grant);
}
