import { Err } from '#engine/run/host.js';
import { EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import { perSlot, plain, type Capability } from '../capability.js';
import { askStore, openGranted, reading, writing } from './guest-call.js';
import type { KeyPage } from './key-value-store.js';
import type { StorePlace } from './store-pool.js';

const OK = { tag: 'ok', val: undefined };

/**
 * The keys as they are read, page by page; nothing is fetched ahead of the guest. It does not look at the slot: a stream that was handed on may be
 * read when the code of another invocation runs.
 */
function keyStream(place: StorePlace): [Pipe, Pipe] {
  const result = hostFuture();
  let keys: readonly string[] = [];
  let next = 0;
  let cursor: string | undefined;
  let isLast = false;
  let isFetching = false;

  const take = (page: KeyPage | Err): void => {
    isFetching = false;
    next = 0;
    keys = page instanceof Err ? [] : page.keys;
    cursor = page instanceof Err ? undefined : page.cursor;
    isLast = cursor === undefined;
    if (page instanceof Err) result.resolve({ tag: 'err', val: page.payload });
    else if (isLast) result.resolve(OK);
  };
  const stream = hostStream({
    pull: (pipe, max) => {
      while (next === keys.length) {
        if (isLast) return EOF;
        if (isFetching) return null;
        const page = askStore(place, (store) => store.list({ cursor }));
        if (page instanceof Promise) {
          isFetching = true;
          void page.then((value) => {
            take(value);
            pipe.more();
          });
          return null;
        }
        take(page);
      }
      return keys.slice(next, (next += Math.min(max, keys.length - next)));
    },
    cancel: () => {
      if (!isLast) result.resolve(OK);
      isLast = true;
    },
  });
  return [stream, result];
}

export const KEY_VALUE_SPIN_03: Capability = {
  name: 'spin:key-value/key-value',
  version: '3.0.0',
  functions: {
    '[static]store.open': perSlot((state) => (label: string) => openGranted(state, label)),
    '[method]store.get': reading(perSlot, (store, key) => store.get(key)),
    '[method]store.set': writing(perSlot, (store, key, value: Uint8Array) => store.set(key, value)),
    '[method]store.delete': writing(perSlot, (store, key) => store.delete(key)),
    '[method]store.exists': reading(perSlot, (store, key) => store.exists(key)),
    '[method]store.get-keys': plain(keyStream),
  },
};
