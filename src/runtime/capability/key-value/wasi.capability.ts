import { Err } from '#engine/run/host.js';
import { waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { fromCursor } from './cursor.js';
import { changeStore, openGranted, other, reading, useStore, writing, type ToError } from './guest-call.js';
import { StoreError, type KeyValueStore, type Maybe } from './key-value-store.js';
import { andThen } from './and-then.js';
import type { StorePlace } from './store-pool.js';

const VERSION = '0.2.0-draft2';

/**
 * Keys that one `list-keys` gives at most. Below that it gives all of them and no cursor, as Spin does: a guest that knows Spin alone never
 * meets a cursor where Spin would have answered (the engine hands over less than twice as much in one call).
 */
const MAX_LISTED_BYTES = 32 * 1024 * 1024;

interface KeyResponse {
  keys: string[];
  cursor?: string;
}

const listKeys = (store: KeyValueStore, after: string | undefined): Maybe<KeyResponse> =>
  andThen(store.list({ cursor: after }), (first) => (first.cursor === undefined ? first : listFrom(store, first)));

async function listFrom(store: KeyValueStore, first: KeyResponse): Promise<KeyResponse> {
  const keys = [...first.keys];
  let bytes = keys.reduce((sum, key) => sum + key.length, 0);
  let { cursor } = first;
  while (cursor !== undefined && bytes < MAX_LISTED_BYTES) {
    const page = await store.list({ cursor });
    for (const key of page.keys) {
      keys.push(key);
      bytes += key.length;
    }
    cursor = page.cursor;
  }
  return { keys, cursor };
}

/** Spin's words for any cursor; ours for one that we cannot have given. */
function checked(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  try {
    fromCursor(cursor);
    return cursor;
  } catch (cause) {
    throw new StoreError('list_keys: cursor not supported', { cause });
  }
}

const STORE: Capability = {
  name: 'wasi:keyvalue/store',
  version: VERSION,
  functions: {
    open: waiting((state) => (label: string) => openGranted(state, label)),
    '[method]bucket.get': reading(waiting, (store, key) => store.get(key)),
    '[method]bucket.set': writing(waiting, (store, key, value: Uint8Array) => store.set(key, value)),
    '[method]bucket.delete': writing(waiting, (store, key) => store.delete(key)),
    '[method]bucket.exists': reading(waiting, (store, key) => store.exists(key)),
    '[method]bucket.list-keys': waiting((state) => (place: StorePlace, cursor: string | undefined) =>
      useStore(state, place, (store) => listKeys(store, checked(cursor)))),
  },
};

type Entry = [key: string, value: Uint8Array];

/** Keys that are not there are left out, as Spin's stores do. */
const getMany = (store: KeyValueStore, keys: string[]): Maybe<Entry[]> =>
  andThen(store.getMany(keys), (values) => keys.flatMap((key, i): Entry[] => (values[i] === undefined ? [] : [[key, values[i]]])));

const BATCH: Capability = {
  name: 'wasi:keyvalue/batch',
  version: VERSION,
  functions: {
    'get-many': waiting((state) => (place: StorePlace, keys: string[]) => useStore(state, place, (store) => getMany(store, keys))),
    'set-many': waiting((state) => (place: StorePlace, entries: Entry[]) => {
      return changeStore(state, place, (store) => store.setMany(entries));
    }),
    'delete-many': waiting((state) => (place: StorePlace, keys: string[]) => {
      return changeStore(state, place, (store) => store.deleteMany(keys));
    }),
  },
};

/** A compare-and-swap under way: it holds what was there when it began, or when the guest last looked. */
class Cas {
  private constructor(readonly place: StorePlace, readonly key: string, public seen: Uint8Array | undefined) {}

  static begin(store: KeyValueStore, place: StorePlace, key: string): Maybe<Cas> {
    return andThen(store.get(key), (seen) => new Cas(place, key, seen));
  }

  look(store: KeyValueStore): Maybe<Uint8Array | undefined> {
    return andThen(store.get(this.key), (value) => (this.seen = value));
  }
}

const storeError: ToError = (message) => ({ tag: 'store-error', val: other(message) });

/** On failure the guest gets a new one to go on with, which has seen what is there now. */
function swap(state: GuestState, cas: Cas, value: Uint8Array): Maybe<undefined | Err> {
  const { place, key } = cas;
  return changeStore(state, place, (store) => andThen(store.swap(key, cas.seen, value), (swapped): Maybe<undefined | Err> =>
    (swapped ? undefined : andThen(Cas.begin(store, place, key), (next) => new Err({ tag: 'cas-failed', val: next })))), storeError, { tag: 'store-error', val: { tag: 'access-denied' } });
}

const ATOMICS: Capability = {
  name: 'wasi:keyvalue/atomics',
  version: VERSION,
  functions: {
    increment: writing(waiting, (store, key, delta: bigint) => store.increment(key, delta)),
    swap: waiting((state) => (cas: Cas, value: Uint8Array) => swap(state, cas, value)),
    '[static]cas.new': waiting((state) => (place: StorePlace, key: string) => useStore(state, place, (store) => Cas.begin(store, place, key))),
    '[method]cas.current': waiting((state) => (cas: Cas) => useStore(state, cas.place, (store) => cas.look(store))),
  },
};

export const KEY_VALUE_WASI: readonly Capability[] = [STORE, BATCH, ATOMICS];
