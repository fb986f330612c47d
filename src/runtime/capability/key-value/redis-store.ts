import type { Redis } from 'ioredis';
import { counterOverflow, notACounter, toCounter } from './counter.js';
import { badCursor, fromCursor, toCursor } from './cursor.js';
import { MAX_PAGE_KEYS, MAX_RESULT_BYTES, OPERATION_MEMORY_MS, resultTooLarge, StoreError, type KeyPage, type KeyValueStore, type ListOptions } from './key-value-store.js';
import { isOperationKey, OPERATION_PREFIX, operationKey } from './operation-key.js';
import { REDIS_SCRIPTS } from './redis-scripts.js';

const CONNECT_TIMEOUT_MS = 5_000;
/** A server that does not answer the farewell is not waited for. */
const DISCONNECT_TIMEOUT_MS = 200;
const COMMAND_TIMEOUT_MS = 10_000;
const MAX_KEY_BYTES = 64 * 1024;

type Bytes = Buffer | null;

/** ioredis with the scripts of ours. */
interface Commands extends Redis {
  whorlAddBuffer(key: string, operation: string, delta: Buffer, memoryMs: number): Promise<Bytes>;
  whorlSwap(key: string, hasExpected: 0 | 1, expected: Uint8Array, hasValue: 0 | 1, value: Uint8Array, ttlMs: number): Promise<number>;
}

/**
 * A Redis database whose strings are the pairs, under their own names, as Spin's driver has it. Increments and swaps are scripts, which
 * Redis runs one at a time.
 */
export class RedisStore implements KeyValueStore {
  readonly limits = { keyBytes: MAX_KEY_BYTES, valueBytes: MAX_RESULT_BYTES };
  readonly isLocal = false;
  private client: Promise<Commands> | null = null;

  constructor(private readonly url: string) {}

  async get(key: string): Promise<Uint8Array | undefined> {
    const value = await this.ask(key, (redis) => redis.getBuffer(key));
    if (value && value.length > MAX_RESULT_BYTES) throw resultTooLarge();
    return value ?? undefined;
  }

  async exists(key: string): Promise<boolean> {
    return this.ask(key, async (redis) => (await redis.exists(key)) === 1);
  }

  async set(key: string, value: Uint8Array, ttlMs?: number): Promise<void> {
    await this.ask(key, (redis) => (ttlMs === undefined ? redis.set(key, toBuffer(value)) : redis.set(key, toBuffer(value), 'PX', Math.ceil(ttlMs))));
  }

  async delete(key: string): Promise<void> {
    await this.ask(key, (redis) => redis.del(key));
  }

  async list({ prefix = '', cursor, limit = MAX_PAGE_KEYS }: ListOptions): Promise<KeyPage> {
    let place = cursor === undefined ? '0' : placeOf(cursor);
    return this.ask('', async (redis) => {
      const keys = new Set<string>();
      do {
        const [next, found] = await redis.scan(place, 'MATCH', `${prefix.replace(/[*?[\]\\]/g, '\\$&')}*`, 'COUNT', limit, 'TYPE', 'string');
        for (const key of found) if (!isOperationKey(key)) keys.add(key);
        place = next;
      } while (place !== '0' && keys.size < limit);
      return { keys: [...keys], ...(place !== '0' && { cursor: toCursor(place) }) };
    });
  }

  async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    this.refuseReserved(keys);
    return this.ask('', async (redis) => (await redis.mgetBuffer([...keys])).map((value) => value ?? undefined));
  }

  async setMany(entries: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    this.refuseReserved(entries.map(([key]) => key));
    await this.ask('', (redis) => redis.mset(entries.flatMap(([key, value]) => [key, toBuffer(value)])));
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    this.refuseReserved(keys);
    await this.ask('', (redis) => redis.del([...keys]));
  }

  async increment(key: string, delta: bigint, operation?: string): Promise<bigint> {
    return this.ask(key, async (redis) => {
      const remembered = operation === undefined ? '' : operationKey(key, operation);
      const sum = await redis.whorlAddBuffer(key, remembered, Buffer.from(toCounter(delta)), OPERATION_MEMORY_MS);
      return sum!.readBigInt64LE();
    });
  }

  async swap(key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined, ttlMs?: number): Promise<boolean> {
    const none = new Uint8Array(0);
    return this.ask(key, async (redis) =>
      (await redis.whorlSwap(key, expected ? 1 : 0, toBuffer(expected ?? none), value ? 1 : 0, toBuffer(value ?? none), Math.ceil(ttlMs ?? 0))) === 1);
  }

  async close(): Promise<void> {
    const client = await this.client?.catch(() => null);
    this.client = null;
    client?.disconnect();
  }

  private async ask<T>(key: string, use: (redis: Commands) => Promise<T>): Promise<T> {
    this.refuseReserved([key]);
    // a client that could not be made is not kept
    const client = (this.client ??= connect(this.url).catch((error: unknown) => {
      this.client = null;
      throw error;
    }));
    try {
      return await use(await client);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  private refuseReserved(keys: readonly string[]): void {
    if (keys.some(isOperationKey)) throw new StoreError(`keys that begin with ${JSON.stringify(OPERATION_PREFIX)} are the store's own`);
  }
}

async function connect(url: string): Promise<Commands> {
  const { Redis: Client } = await import('ioredis');
  const client = new Client(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 1,
    scripts: REDIS_SCRIPTS,
  });
  // each command says what is wrong with the connection
  client.on('error', () => undefined);
  return client as unknown as Commands;
}

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function placeOf(cursor: string): string {
  const place = fromCursor(cursor);
  if (!/^\d{1,20}$/.test(place)) throw badCursor();
  return place;
}

/** What Redis answers is about keys and values; what the client says may name the server. */
function toStoreError(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return error;
  if (error.message.includes('WHORL_OVERFLOW')) return counterOverflow();
  if (error.message.includes('WHORL_NOT_A_COUNTER')) return notACounter();
  return new StoreError(error.message, { cause: error });
}
