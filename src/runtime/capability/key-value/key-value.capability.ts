import { join } from 'node:path';
import { Err } from '#engine/run/host.js';
import { perSlot, plain, type Capability } from '../capability.js';
import { storeAt, StoreError, type StoreFile } from './store-file.js';

/** Stores that the platform has; a manifest may grant no others. */
const KNOWN_LABELS: ReadonlySet<string> = new Set(['default']);

const ACCESS_DENIED = new Err({ tag: 'access-denied' });
const NO_SUCH_STORE = new Err({ tag: 'no-such-store' });

/** A store as a guest holds it. It names a file, not a connection: that may be closed between two uses. */
class Store {
  constructor(private readonly path: string) {}

  call<T>(use: (file: StoreFile) => T): T | Err {
    try {
      return use(storeAt(this.path));
    } catch (error) {
      // SQLite's own words are short and name no path of this machine; anything else might.
      const known = error instanceof StoreError || (error as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR';
      return new Err({ tag: 'other', val: known ? (error as Error).message : 'the store cannot be reached' });
    }
  }
}

/** `fermyon:spin/key-value@2.0.0` on a file of the node for each store of an app. */
export const KEY_VALUE: Capability = {
  name: 'fermyon:spin/key-value',
  version: '2.0.0',
  functions: {
    '[static]store.open': perSlot(({ grant }) => (label: string) => {
      if (!grant.keyValueStores.includes(label)) return ACCESS_DENIED;
      if (!KNOWN_LABELS.has(label)) return NO_SUCH_STORE;
      const store = new Store(join(grant.stateDir, 'key-value', `${label}.sqlite`));
      return store.call(() => store);
    }),
    '[method]store.get': plain((store: Store, key: string) => store.call((file) => file.get(key))),
    '[method]store.set': perSlot((state) => (store: Store, key: string, value: Uint8Array) => {
      state.invocation.effect?.();
      return store.call((file) => file.set(key, value));
    }),
    '[method]store.delete': perSlot((state) => (store: Store, key: string) => {
      state.invocation.effect?.();
      return store.call((file) => file.delete(key));
    }),
    '[method]store.exists': plain((store: Store, key: string) => store.call((file) => file.exists(key))),
    '[method]store.get-keys': plain((store: Store) => store.call((file) => file.keys())),
  },
};
