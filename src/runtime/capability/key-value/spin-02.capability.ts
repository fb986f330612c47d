import { Err } from '#engine/run/host.js';
import { plain, waiting, type Capability } from '../capability.js';
import type { GuestGrant } from '../guest.js';
import { allKeys } from './all-keys.js';
import { grantedStore } from './granted-store.js';
import { changeStore, openGranted, reading, useStore, writing, type ToError } from './guest-call.js';
import { StorePlace } from './store-pool.js';
import { andThen } from './and-then.js';

const SPIN_2_0_0: Capability = {
  name: 'fermyon:spin/key-value',
  version: '2.0.0',
  functions: {
    '[static]store.open': waiting((state) => (label: string) => openGranted(state, label)),
    '[method]store.get': reading(waiting, (store, key) => store.get(key)),
    '[method]store.set': writing(waiting, (store, key, value: Uint8Array) => store.set(key, value)),
    '[method]store.delete': writing(waiting, (store, key) => store.delete(key)),
    '[method]store.exists': reading(waiting, (store, key) => store.exists(key)),
    '[method]store.get-keys': waiting((state) => (place: StorePlace) => useStore(state, place, allKeys)),
  },
};

const io: ToError = (message) => ({ tag: 'io', val: message });
const INVALID_STORE = new Err({ tag: 'invalid-store' });
const NO_SUCH_KEY = new Err({ tag: 'no-such-key' });

/**
 * A number for a store: the place of its label in the manifest, so that nothing is held for it and it stays good for as long as the guest
 * keeps it.
 */
const toHandle = (grant: GuestGrant, label: string): number => grant.keyValueStores.indexOf(label) + 1;

function fromHandle(grant: GuestGrant, handle: number): StorePlace | undefined {
  const label = grant.keyValueStores[handle - 1];
  const place = label === undefined ? undefined : grantedStore(grant, label);
  return place instanceof StorePlace ? place : undefined;
}

/** The first version has no resources, and says that a key is missing by an error. */
const SPIN_UNVERSIONED: Capability = {
  name: 'fermyon:spin/key-value',
  version: null,
  functions: {
    open: waiting((state) => (label: string) => andThen(openGranted(state, label, io), (opened) => (opened instanceof Err ? opened : toHandle(state.grant, label)))),
    get: waiting((state) => (handle: number, key: string) => {
      const place = fromHandle(state.grant, handle);
      return place ? useStore(state, place, (store) => andThen(store.get(key), (value) => value ?? NO_SUCH_KEY), io) : INVALID_STORE;
    }),
    set: waiting((state) => (handle: number, key: string, value: Uint8Array) => {
      const place = fromHandle(state.grant, handle);
      return place ? changeStore(state, place, (store) => store.set(key, value), io) : INVALID_STORE;
    }),
    delete: waiting((state) => (handle: number, key: string) => {
      const place = fromHandle(state.grant, handle);
      return place ? changeStore(state, place, (store) => store.delete(key), io) : INVALID_STORE;
    }),
    exists: waiting((state) => (handle: number, key: string) => {
      const place = fromHandle(state.grant, handle);
      return place ? useStore(state, place, (store) => store.exists(key), io) : INVALID_STORE;
    }),
    'get-keys': waiting((state) => (handle: number) => {
      const place = fromHandle(state.grant, handle);
      return place ? useStore(state, place, allKeys, io) : INVALID_STORE;
    }),
    close: plain(() => undefined),
  },
};

export const KEY_VALUE_SPIN_02: readonly Capability[] = [SPIN_UNVERSIONED, SPIN_2_0_0];
