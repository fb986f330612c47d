import type { KeyValueStore } from './key-value-store.js';

/** Stores open in this process at a time; the one unused for longest makes room. */
const MAX_OPEN = 128;
/** Longer than any call takes, so that none is cut off. */
const IDLE_MS = 60_000;
const SWEEP_MS = 15_000;

/** A store that slots of this process share. */
class OpenStore {
  isClosed = false;
  usedAt = 0;

  constructor(readonly store: KeyValueStore) {}

  close(): Promise<void> {
    this.isClosed = true;
    return this.store.close();
  }
}

/** By what tells them apart: a file's path, or org, app and backend. */
const open = new Map<string, OpenStore>();
let sweeper: NodeJS.Timeout | null = null;

/** Where a guest's store is. Guests hold places, not connections: those come and go between two calls. */
export class StorePlace {
  private current: OpenStore | null = null;

  /** `key` tells apart what must not share connections. */
  constructor(private readonly key: string, private readonly openStore: () => KeyValueStore) {}

  get isOpen(): boolean {
    return this.current !== null && !this.current.isClosed;
  }

  /** For one call. Throws StoreError when there can be no such store. */
  store(): KeyValueStore {
    let { current } = this;
    if (current === null || current.isClosed) this.current = current = this.find();
    current.usedAt = Date.now();
    return current.store;
  }

  private find(): OpenStore {
    const found = open.get(this.key);
    if (found) return found;
    const opened = new OpenStore(this.openStore());
    open.set(this.key, opened);
    if (open.size > MAX_OPEN) makeRoom();
    sweeper ??= setInterval(sweep, SWEEP_MS).unref();
    return opened;
  }
}

function makeRoom(): void {
  let oldest: [string, OpenStore] | null = null;
  for (const entry of open) if (oldest === null || entry[1].usedAt < oldest[1].usedAt) if (entry[1].usedAt > 0) oldest = entry;
  if (oldest) closeQuietly(...oldest);
}

function sweep(): void {
  const since = Date.now() - IDLE_MS;
  for (const [key, store] of open) if (store.usedAt < since) closeQuietly(key, store);
  if (open.size > 0) return;
  clearInterval(sweeper!);
  sweeper = null;
}

/** A connection that breaks while it is closed is closed. */
function closeQuietly(key: string, store: OpenStore): void {
  open.delete(key);
  store.close().catch(() => undefined);
}

/** Closes every store of this process, for a clean end. */
export async function closeStores(): Promise<void> {
  const all = [...open.values()];
  open.clear();
  await Promise.allSettled(all.map((store) => store.close()));
}
