import type { GuestState } from './guest.js';

/** What a guest reads where the interface leaves the words to the host. */
export const EFFECT_REFUSED = 'access denied: this is a copy of a request, and nothing of it may reach anybody';

/**
 * Whether what a guest is about to change or send is refused, as in an invocation that answers a copy of a request (docs/adr/0036). That it
 * asked is noted: what it answers then says nothing of the version. The interface's own error has to be given to it.
 */
export function refusesEffect({ grant, invocation }: GuestState): boolean {
  if (!grant.refusesEffects) return false;
  invocation.refused?.();
  return true;
}
