/**
 * The convention between the engine and host functions. A host function gets and gives plain JavaScript values, never handles:
 *
 * | WIT | JavaScript |
 * |---|---|
 * | bool, integers up to 32 bit, floats | boolean, number |
 * | s64, u64 | bigint |
 * | char, string | string |
 * | list<u8> and other number lists | the typed array (a copy); for a list<u8> the host may give a latin-1 text instead |
 * | list<T>, tuple | array |
 * | record, flags | object with camelCase keys (flags: booleans) |
 * | variant | `{ tag, val }`, tag in kebab-case; enum: the kebab-case string |
 * | option<T> | value or undefined; option<option<T>>: `{ tag: 'some', val }` / `{ tag: 'none' }` |
 * | result as a parameter or inside a value | `{ tag: 'ok' \| 'err', val }` |
 * | result as what a function returns | the ok value itself, or an `Err` |
 * | own, borrow of a host resource | the host's own object |
 * | stream, future | a `Pipe` (pipe.ts) |
 */

/** The error side of a `result` that a host function returns. */
export class Err<E = unknown> {
  constructor(readonly payload: E) {}
}

/** A guest broke a rule of the canonical ABI, or the host stops it: the instance is never entered again. */
export class Trap extends Error {
  override name = 'Trap';
}

/** A limit struck. `limit` is the name in logs and metrics. */
export class LimitTrap extends Trap {
  override name = 'LimitTrap';
  constructor(readonly limit: 'cpu' | 'wall' | 'memory' | 'handles' | 'allocation' | 'host-memory', message: string) {
    super(message);
  }
}

/** What ends the calls of a slot that was lost to a call of somebody else: `cause` is what that one ended with. */
export class InstanceLost extends Error {
  override name = 'InstanceLost';
  constructor(cause: Error) {
    super(`the instance was lost to another request in it: ${cause.message}`, { cause });
  }
}

/** The check mode found that a reset in place did not put everything back. No slot of the program is reset so from then on. */
export class ResetDifference extends Error {
  override name = 'ResetDifference';
}

// oxlint-disable-next-line no-explicit-any -- arguments are typed by WIT, checked by the ABI; each capability declares its own
export type HostFunction = (...args: any[]) => any;

/**
 * One import of a guest that the host answers. `bind` is called once per slot with the slot's state and must be cheap.
 * Only a function with `waits` may return a promise (it is called on a stack that can be suspended), or is of async type (0.3),
 * where the promise may carry `abort()`, called when the guest cancels. A returned promise must always settle.
 */
export interface HostBinding<State> {
  waits: boolean;
  bind(state: State): HostFunction;
}

/**
 * Finds the host's function for an import: `iface` as written in the component (`wasi:http/types@0.2.3`), `name` as in WIT
 * (`[method]fields.get`, `[resource-drop]fields`, `handle`). `denied`: the component that imports it may not have it, and the function
 * must refuse. undefined: the host has none; for `[resource-drop]…` that means nothing to do.
 */
export type HostResolver<State> = (iface: string, name: string, denied?: boolean) => HostBinding<State> | undefined;
