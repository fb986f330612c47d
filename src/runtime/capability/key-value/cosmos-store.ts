import type { Container, CosmosClient } from '@azure/cosmos';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyValueBackend } from '#contract/runtime-grant.js';
import { add, fromCounter, toCounter } from './counter.js';
import { fromCursor, toCursor } from './cursor.js';
import { MAX_PAGE_KEYS, StoreError, type KeyPage, type KeyValueStore, type ListOptions } from './key-value-store.js';
import { findOperation, logOperation, type LoggedOperation } from './operation-log.js';

export type CosmosBackend = Extract<KeyValueBackend, { type: 'azure_cosmos' }>;

/** Limits of Cosmos DB: an id, and a document of 2 MB, in which each byte is a number of up to three digits. */
const MAX_KEY_BYTES = 1_023;
const MAX_VALUE_BYTES = 450_000;
/** What an id must not hold; the words are Spin's. */
const ILLEGAL = /[/\\?#]/;

const TIMEOUT_MS = 10_000;
const MAX_ATTEMPTS = 50;
/** Requests of one batch at a time. */
const CONCURRENCY = 8;

/** A document as Spin's driver has it (`id`, `value` as numbers), with when it is over, and its operations. */
interface Document {
  id: string;
  value: number[];
  /** Seconds, for Cosmos DB's own deletion: it is heeded where the container has a default time to live. */
  ttl?: number;
  expiresAtMs?: number;
  operations?: LoggedOperation[];
}

interface Found {
  value: Uint8Array;
  document: Document;
  etag: string;
}

/** Why a conditional write was not done: somebody else was faster (412 Precondition failed, 409 Conflict, 404 Not found). */
const LOST: readonly unknown[] = [412, 409, 404];

/**
 * A container of Cosmos DB with the partition key `/id`. What must be one step is a write on condition of the ETag that was read, or one that
 * creates.
 */
export class CosmosStore implements KeyValueStore {
  readonly limits = { keyBytes: MAX_KEY_BYTES, valueBytes: MAX_VALUE_BYTES };
  readonly isLocal = false;
  private client: Promise<CosmosClient> | null = null;

  constructor(private readonly backend: CosmosBackend) {}

  async get(key: string): Promise<Uint8Array | undefined> {
    return alive(await this.read(key))?.value;
  }

  async exists(key: string): Promise<boolean> {
    return alive(await this.read(key)) !== undefined;
  }

  async set(key: string, value: Uint8Array, ttlMs?: number): Promise<void> {
    const document = toDocument(key, value, ttlMs);
    await this.ask((container) => container.items.upsert(document));
  }

  async delete(key: string): Promise<void> {
    if (ILLEGAL.test(key)) return;
    await this.onCondition((container) => container.item(key, key).delete());
  }

  async list({ prefix = '', cursor, limit = MAX_PAGE_KEYS }: ListOptions): Promise<KeyPage> {
    const query = {
      query: 'SELECT c.id FROM c WHERE STARTSWITH(c.id, @prefix) AND (NOT IS_DEFINED(c.expiresAtMs) OR c.expiresAtMs > @now)',
      parameters: [{ name: '@prefix', value: prefix }, { name: '@now', value: Date.now() }],
    };
    let place = cursor === undefined ? undefined : fromCursor(cursor);
    const keys: string[] = [];
    do {
      const page = await this.ask((container) =>
        container.items.query<{ id: string }>(query, { maxItemCount: limit - keys.length, ...(place !== undefined && { continuationToken: place }) }).fetchNext());
      // a page may hold nothing and yet not be the last one
      for (const { id } of page.resources ?? []) keys.push(id);
      place = page.continuationToken ?? undefined;
    } while (place !== undefined && keys.length < limit);
    return { keys, ...(place !== undefined && { cursor: toCursor(place) }) };
  }

  async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = Array.from({ length: keys.length });
    await eachOf(keys, async (key, i) => {
      values[i] = await this.get(key);
    });
    return values;
  }

  async setMany(entries: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    await eachOf(entries, ([key, value]) => this.set(key, value));
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    await eachOf(keys, (key) => this.delete(key));
  }

  async increment(key: string, delta: bigint, operation?: string): Promise<bigint> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (attempt > 0) await pause(attempt);
      const stored = await this.read(key);
      const found = alive(stored);
      const log = found?.document.operations ?? [];
      const now = Date.now();
      const done = operation === undefined ? undefined : findOperation(log, operation, now);
      if (done !== undefined) return done;
      const sum = add(fromCounter(found?.value), delta);
      const operations = operation === undefined ? found?.document.operations : logOperation(log, operation, sum, now);
      const leftMs = found?.document.expiresAtMs === undefined ? undefined : found.document.expiresAtMs - now;
      const next: Document = { ...toDocument(key, toCounter(sum), leftMs), ...(operations && { operations }) };
      if (await this.replace(stored, next)) return sum;
    }
    throw new StoreError('the store is busy');
  }

  async swap(key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined, ttlMs?: number): Promise<boolean> {
    // another ETag need not mean another value: only what is there decides
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (attempt > 0) await pause(attempt);
      const stored = await this.read(key);
      const found = alive(stored);
      if (expected === undefined ? found !== undefined : !found || Buffer.compare(found.value, expected) !== 0) return false;
      const { etag = '' } = stored ?? {};
      const swapped = value === undefined
        ? await this.onCondition((container) => container.item(key, key).delete({ accessCondition: { type: 'IfMatch', condition: etag } }))
        : await this.replace(stored, toDocument(key, value, ttlMs));
      if (swapped) return true;
    }
    throw new StoreError('the store is busy');
  }

  async close(): Promise<void> {
    const client = await this.client?.catch(() => null);
    this.client = null;
    client?.dispose();
  }

  /** Writes in the place of what was read, or of nothing. False: that changed meanwhile. */
  private replace(stored: Found | undefined, next: Document): Promise<boolean> {
    return this.onCondition((container) => (stored
      ? container.item(next.id, next.id).replace(next, { accessCondition: { type: 'IfMatch', condition: stored.etag } })
      : container.items.create(next)));
  }

  private async read(key: string): Promise<Found | undefined> {
    if (ILLEGAL.test(key)) return undefined;
    const { resource, etag } = await this.ask((container) => container.item(key, key).read<Document>());
    return resource && { value: Uint8Array.from(resource.value), document: resource, etag };
  }

  private async onCondition(write: (container: Container) => Promise<unknown>): Promise<boolean> {
    try {
      await this.ask(write);
      return true;
    } catch (error) {
      if (error instanceof StoreError && LOST.includes((error.cause as { code?: unknown }).code)) return false;
      throw error;
    }
  }

  private async ask<T>(use: (container: Container) => Promise<T>): Promise<T> {
    const { database, container } = this.backend;
    const client = await (this.client ??= connect(this.backend));
    try {
      return await use(client.database(database).container(container));
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

async function connect({ account, key }: CosmosBackend): Promise<CosmosClient> {
  const { CosmosClient: Client } = await import('@azure/cosmos');
  const endpoint = endpointOf(account);
  const connectionPolicy = { requestTimeout: TIMEOUT_MS, enableBackgroundEndpointRefreshing: false };
  if (key !== undefined) return new Client({ endpoint, key, connectionPolicy });
  const { DefaultAzureCredential } = await import('@azure/identity');
  return new Client({ endpoint, aadCredentials: new DefaultAzureCredential(), connectionPolicy });
}

/** `account` is its name, as in Spin, or the URL of a service that speaks the protocol, such as the emulator. */
const endpointOf = (account: string): string => (/^https?:\/\//.test(account) ? account : `https://${account}.documents.azure.com`);

function toDocument(key: string, value: Uint8Array, ttlMs: number | undefined): Document {
  if (ILLEGAL.test(key)) throw new StoreError('Key contains an illegal character. Keys must not include any of: /\\?#');
  return { id: key, value: [...value], ...(ttlMs !== undefined && { ttl: Math.max(1, Math.ceil(ttlMs / 1000)), expiresAtMs: Date.now() + Math.ceil(ttlMs) }) };
}

/** What is over counts as nothing until it is deleted. */
const alive = (found: Found | undefined): Found | undefined => (found?.document.expiresAtMs !== undefined && found.document.expiresAtMs <= Date.now() ? undefined : found);

/** Longer each time, and never two writers at the same pace. */
const pause = (attempt: number): Promise<void> => sleep(Math.min(100, attempt * 2) * (0.5 + Math.random()));

async function eachOf<T>(all: readonly T[], use: (one: T, i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < all.length) {
      const i = next++;
      await use(all[i]!, i);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, all.length) }, worker));
}

/** A number is the service's status; other codes are of the way to it, and may name it. */
function toStoreError(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? new StoreError(`the store answered with status ${code}`, { cause: error }) : error;
}
