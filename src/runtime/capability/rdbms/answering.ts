import { Err } from '#engine/run/host.js';
import type { GuestState } from '../guest.js';

/** What a host function does; it rejects when it cannot. */
type Attempt<A extends unknown[], T> = (state: GuestState, ...args: A) => Promise<T>;

/** What went wrong, in the terms of an interface; throws what is a trap. */
export type ToError = (error: unknown, state: GuestState) => unknown;

/** A host function that does `attempt`, for `waiting` (a plain function) and `perSlot` (one of async type). */
export function answering<A extends unknown[], T>(attempt: Attempt<A, T>, toError: ToError): (state: GuestState) => (...args: A) => Promise<T | Err> {
  return (state) => async (...args) => {
    try {
      return await attempt(state, ...args);
    } catch (error) {
      return new Err(toError(error, state));
    }
  };
}

/** What a statement needs of a connection that is there for it alone. */
interface Droppable {
  drop(): void;
}

/** A host function with an address: opens a connection, does `run` on it, and gives it back. */
export function answeringOnce<C extends Droppable, A extends unknown[], T>(
  open: (state: GuestState, address: string) => Promise<C>,
  run: (state: GuestState, connection: C, ...args: A) => Promise<T>,
  errors: { connection: ToError; statement: ToError },
): (state: GuestState) => (address: string, ...args: A) => Promise<T | Err> {
  return (state) => async (address, ...args) => {
    const connection = await answering(open, errors.connection)(state)(address);
    if (connection instanceof Err) return connection;
    try {
      return await answering(run, errors.statement)(state)(connection, ...args);
    } finally {
      connection.drop();
    }
  };
}
