import type { RuntimeGrant } from '#contract/runtime-grant.js';
import type { GuestGrant } from '../guest.js';

const numbers = new WeakMap<RuntimeGrant, number>();
let last = 0;

/** Tells apart what a session was opened by the right of: one that the operator has since taken away must not be used again. */
export function rightsKey({ runtime, component, allowPrivateHosts }: GuestGrant): string {
  let number = numbers.get(runtime);
  if (number === undefined) numbers.set(runtime, (number = ++last));
  // client certificates are granted to components, all else to the app
  return `${number} ${allowPrivateHosts} ${runtime.clientTls.length > 0 ? component : ''}`;
}
