import type { Maybe } from './key-value-store.js';

/** Goes on with a value: at once when it is there, so that what does not wait costs no promise. */
export function andThen<T, R>(value: Maybe<T>, next: (value: T) => Maybe<R>): Maybe<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
