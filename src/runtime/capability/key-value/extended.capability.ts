import { waiting, type Capability } from '../capability.js';
import { changeStore, openGranted, reading, useStore, writing } from './guest-call.js';
import type { StorePlace } from './store-pool.js';

const toTtlMs = (ttlMs: bigint | undefined): number | undefined => (ttlMs === undefined ? undefined : Number(ttlMs));

/** The platform's own interface (`wit/key-value/extended.wit`): what the stores can do beyond Spin's. */
export const KEY_VALUE_EXTENDED: Capability = {
  name: 'whorl:key-value/extended',
  version: '0.1.0',
  functions: {
    '[static]store.open': waiting((state) => (label: string) => openGranted(state, label)),
    '[method]store.get': reading(waiting, (store, key) => store.get(key)),
    '[method]store.set': writing(waiting, (store, key, value: Uint8Array, ttlMs: bigint | undefined) => store.set(key, value, toTtlMs(ttlMs))),
    '[method]store.delete': writing(waiting, (store, key) => store.delete(key)),
    '[method]store.list-keys': waiting((state) => (place: StorePlace, prefix: string, cursor: string | undefined, limit: number) =>
      useStore(state, place, (store) => store.list({ prefix, cursor, limit }))),
    '[method]store.compare-and-swap': waiting((state) => (place: StorePlace, key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined, ttlMs: bigint | undefined) => {
      return changeStore(state, place, (store) => store.swap(key, expected, value, toTtlMs(ttlMs)));
    }),
    '[method]store.increment': writing(waiting, (store, key, delta: bigint, operation: string | undefined) => store.increment(key, delta, operation)),
  },
};
