import { MAX_RESULT_BYTES, resultTooLarge, type KeyPage, type KeyValueStore, type Maybe } from './key-value-store.js';

/** What a string costs beside its bytes, in Spin's count of a result. */
const STRING_BYTES = 24;

/** Every key of a store. Throws, or rejects with, StoreError when they are too large together. */
export function allKeys(store: KeyValueStore): Maybe<string[]> {
  const keys = new Set<string>();
  let bytes = 0;
  const take = (page: KeyPage): string | undefined => {
    for (const key of page.keys) {
      keys.add(key);
      bytes += Buffer.byteLength(key) + STRING_BYTES;
    }
    if (bytes > MAX_RESULT_BYTES) throw resultTooLarge();
    return page.cursor;
  };
  const rest = async (first: Promise<KeyPage>): Promise<string[]> => {
    let cursor = take(await first);
    while (cursor !== undefined) cursor = take(await store.list({ cursor }));
    return [...keys];
  };
  for (let cursor: string | undefined; ;) {
    const page = store.list({ cursor });
    if (page instanceof Promise) return rest(page);
    cursor = take(page);
    if (cursor === undefined) return [...keys];
  }
}
