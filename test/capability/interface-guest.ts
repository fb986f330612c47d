import type { GuestState } from '#runtime/capability/guest.js';
import { Forwarder } from '../fixtures/forwarder.js';

/** Guests of one host state, one for each interface, that call whatever a test wants; and what was called so far. */
export class InterfaceGuests {
  private readonly guests = new Map<string, Promise<Forwarder>>();

  constructor(private readonly state: GuestState) {}

  /** Calls of one interface through a component of its own. What comes back is as WIT says: a result is `{ tag, val }`. */
  of(iface: string): InterfaceCalls {
    return (name, ...args) => this.call(iface, name, args);
  }

  // oxlint-disable-next-line no-explicit-any -- what comes back is as WIT says, and each test knows which
  private async call(iface: string, name: string, args: unknown[]): Promise<any> {
    const guest = await (this.guests.get(iface) ?? this.start(iface));
    const called = calledIn(iface);
    called.add(name);
    allOf.set(iface, guest.names);
    return guest.call(name, ...args);
  }

  private start(iface: string): Promise<Forwarder> {
    const guest = Forwarder.of(iface, this.state);
    this.guests.set(iface, guest);
    return guest;
  }
}

// oxlint-disable-next-line no-explicit-any -- see above
export type InterfaceCalls = (name: string, ...args: unknown[]) => Promise<any>;

const calls = new Map<string, Set<string>>();
const allOf = new Map<string, string[]>();

function calledIn(iface: string): Set<string> {
  let called = calls.get(iface);
  if (!called) calls.set(iface, (called = new Set()));
  return called;
}

/** Functions of the interfaces that guests of this file used, and that none of them called. */
export function notCalled(): string[] {
  return [...allOf].flatMap(([iface, names]) => names.filter((name) => !calledIn(iface).has(name)).map((name) => `${iface} ${name}`));
}

/** The ok value of a result; throws with the error when it is one. */
export function okOf<T = any>(result: { tag: string; val?: unknown }): T { // oxlint-disable-line no-explicit-any -- see above
  if (result.tag !== 'ok') throw new Error(`unexpected error ${JSON.stringify(result.val)}`);
  return result.val as T;
}
