import { Err, type HostBinding, type HostFunction } from '#engine/run/host.js';
import type { GuestState } from '../guest.js';
import { refusesEffect } from '../effect.js';
import { settle } from '../wait.js';
import { grantedStore } from './granted-store.js';
import { StoreError, type KeyValueStore, type Maybe } from './key-value-store.js';
import type { StorePlace } from './store-pool.js';

/** How an interface version says that something else went wrong. */
export type ToError = (message: string) => unknown;
export const other: ToError = (message) => ({ tag: 'other', val: message });
/** The same in every version. */
const ACCESS_DENIED = { tag: 'access-denied' };

/** How a version binds its functions: those of 0.2 kind may wait, those of async type may give a promise in any case. */
export type Bind = (bind: (state: GuestState) => HostFunction) => HostBinding<GuestState>;

/** What a guest reads of an error: drivers say in StoreErrors what is fit for it. Anything else might name places of the operator's. */
function toErr(error: unknown, toError: ToError): Err {
  return new Err(toError(error instanceof StoreError ? error.message : 'the store cannot be reached'));
}

/** One use of a store; what goes wrong is an `Err`. A promise of it never rejects. */
export function askStore<T>(place: StorePlace, use: (store: KeyValueStore) => Maybe<T>, toError: ToError = other): Maybe<T | Err> {
  try {
    const result = use(place.store());
    return result instanceof Promise ? result.catch((error: unknown) => toErr(error, toError)) : result;
  } catch (error) {
    return toErr(error, toError);
  }
}

/** The same as a host function gives it back: at once when the store answers at once, else at the latest when the invocation ends. */
export function useStore<T>(state: GuestState, place: StorePlace, use: (store: KeyValueStore) => Maybe<T>, toError: ToError = other): Maybe<T | Err> {
  const result = askStore(place, use, toError);
  return result instanceof Promise ? settle(state, result) : result;
}

/** The same for a use that changes something, which is said before; `refused` is the interface's own error where nothing may be changed. */
// oxlint-disable-next-line max-params -- those of `useStore`, and one that few give
export function changeStore<T>(state: GuestState, place: StorePlace, use: (store: KeyValueStore) => Maybe<T>, toError: ToError = other, refused: unknown = ACCESS_DENIED): Maybe<T | Err> {
  if (refusesEffect(state)) return new Err(refused);
  state.invocation.effect?.();
  return useStore(state, place, use, toError);
}

/** Opens a store by label. A file that cannot be opened is said here, as Spin does; a server is first asked with the first call. */
export function openGranted(state: GuestState, label: string, toError: ToError = other): Maybe<StorePlace | Err> {
  const place = grantedStore(state.grant, label);
  if (typeof place === 'string') return new Err({ tag: place });
  if (place.isOpen) return place;
  return useStore(state, place, (store) => (store.isLocal ? opened(store, place) : place), toError);
}

function opened(store: KeyValueStore, place: StorePlace): Maybe<StorePlace> {
  const asked = store.exists('');
  return asked instanceof Promise ? asked.then(() => place) : place;
}

type Keyed<A extends unknown[], T> = (store: KeyValueStore, key: string, ...rest: A) => Maybe<T>;

/** A method that reads. */
export function reading<A extends unknown[], T>(bind: Bind, use: Keyed<A, T>): HostBinding<GuestState> {
  return bind((state) => (place: StorePlace, key: string, ...rest: A) => useStore(state, place, (store) => use(store, key, ...rest)));
}

/** A method that changes something, which is said before. */
export function writing<A extends unknown[], T>(bind: Bind, use: Keyed<A, T>): HostBinding<GuestState> {
  return bind((state) => (place: StorePlace, key: string, ...rest: A) => {
    return changeStore(state, place, (store) => use(store, key, ...rest));
  });
}
