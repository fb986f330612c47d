import type { AttributeValue, BatchWriteItemCommandInput, DynamoDB, WriteRequest } from '@aws-sdk/client-dynamodb';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyValueBackend } from '#contract/runtime-grant.js';
import { add, fromCounter, toCounter } from './counter.js';
import { fromCursor, toCursor } from './cursor.js';
import { MAX_PAGE_KEYS, StoreError, type KeyPage, type KeyValueStore, type ListOptions } from './key-value-store.js';
import { findOperation, logOperation, type LoggedOperation } from './operation-log.js';

export type DynamoBackend = Extract<KeyValueBackend, { type: 'aws_dynamo' }>;

/** Limits of DynamoDB: a partition key, and an item with its other attributes. */
const MAX_KEY_BYTES = 2_048;
const MAX_VALUE_BYTES = 390_000;
const MAX_GET = 100;
const MAX_WRITE = 25;

const TIMEOUT_MS = 10_000;
const MAX_ATTEMPTS = 50;

/** An item as Spin's driver has it (PK, VAL), with when it is over in ms (EXP), and in s (TTL, for DynamoDB's own deletion), and its operations. */
interface Item {
  value: Uint8Array;
  expiresAtMs?: number;
  /** As it was read: a write is made on condition that it still is. */
  log?: string;
}

const NAMES = { '#pk': 'PK', '#exp': 'EXP' };
const ALIVE = '(attribute_not_exists(#exp) OR #exp > :now)';
const number = (value: number): AttributeValue => ({ N: `${value}` });
const text = (value: string): AttributeValue => ({ S: value });
const bytes = (value: Uint8Array): AttributeValue => ({ B: value });

/** A table of DynamoDB with the partition key `PK` (a string). What must be one step is one conditional write. */
export class DynamoStore implements KeyValueStore {
  readonly limits = { keyBytes: MAX_KEY_BYTES, valueBytes: MAX_VALUE_BYTES };
  readonly isLocal = false;
  private client: Promise<DynamoDB> | null = null;

  constructor(private readonly backend: DynamoBackend) {}

  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.read(key, this.backend.consistentRead))?.value;
  }

  async exists(key: string): Promise<boolean> {
    return (await this.read(key, this.backend.consistentRead, 'PK, EXP')) !== undefined;
  }

  async set(key: string, value: Uint8Array, ttlMs?: number): Promise<void> {
    await this.ask((dynamo) => dynamo.putItem({ TableName: this.backend.table, Item: toItem(key, { value, ...expiring(ttlMs) }) }));
  }

  async delete(key: string): Promise<void> {
    await this.ask((dynamo) => dynamo.deleteItem({ TableName: this.backend.table, Key: { PK: text(key) } }));
  }

  async list({ prefix = '', cursor, limit = MAX_PAGE_KEYS }: ListOptions): Promise<KeyPage> {
    let after = cursor === undefined ? undefined : fromCursor(cursor);
    const keys: string[] = [];
    do {
      const page = await this.ask((dynamo) => dynamo.scan({
        TableName: this.backend.table,
        ProjectionExpression: '#pk',
        FilterExpression: prefix === '' ? ALIVE : `begins_with(#pk, :prefix) AND ${ALIVE}`,
        ExpressionAttributeNames: NAMES,
        ExpressionAttributeValues: { ':now': number(Date.now()), ...(prefix !== '' && { ':prefix': text(prefix) }) },
        ConsistentRead: this.backend.consistentRead,
        ...(after !== undefined && { ExclusiveStartKey: { PK: text(after) } }),
      }));
      for (const { PK } of page.Items ?? []) keys.push(PK!.S!);
      after = page.LastEvaluatedKey?.['PK']?.S;
      if (keys.length > limit) {
        // a scan goes on from any key, also from one in the middle of a page
        keys.length = limit;
        after = keys.at(-1);
      }
    } while (after !== undefined && keys.length < limit);
    return { keys, ...(after !== undefined && { cursor: toCursor(after) }) };
  }

  async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    const { table, consistentRead } = this.backend;
    const found = new Map<string, Uint8Array>();
    const wanted = [...new Set(keys)].map((key): Record<string, AttributeValue> => ({ PK: text(key) }));
    await inBatches(wanted, MAX_GET, async (batch) => {
      const { Responses, UnprocessedKeys } = await this.ask((dynamo) => dynamo.batchGetItem({ RequestItems: { [table]: { Keys: batch, ConsistentRead: consistentRead } } }));
      for (const item of Responses?.[table] ?? []) {
        const read = fromItem(item);
        if (read) found.set(item['PK']!.S!, read.value);
      }
      return UnprocessedKeys?.[table]?.Keys ?? [];
    });
    return keys.map((key) => found.get(key));
  }

  async setMany(entries: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    await this.writeMany(entries.map(([key, value]) => ({ PutRequest: { Item: toItem(key, { value }) } })));
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    await this.writeMany(keys.map((key) => ({ DeleteRequest: { Key: { PK: text(key) } } })));
  }

  async increment(key: string, delta: bigint, operation?: string): Promise<bigint> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (attempt > 0) await sleep(nextPause(attempt));
      const found = await this.read(key, true);
      const log = found?.log === undefined ? [] : (JSON.parse(found.log) as LoggedOperation[]);
      const now = Date.now();
      const done = operation === undefined ? undefined : findOperation(log, operation, now);
      if (done !== undefined) return done;
      const sum = add(fromCounter(found?.value), delta);
      const next = operation === undefined ? found?.log : JSON.stringify(logOperation(log, operation, sum, now));
      if (await this.replace(key, found, { ...found, value: toCounter(sum), ...(next !== undefined && { log: next }) })) return sum;
    }
    throw new StoreError('the store is busy');
  }

  async swap(key: string, expected: Uint8Array | undefined, value: Uint8Array | undefined, ttlMs?: number): Promise<boolean> {
    const condition = {
      ConditionExpression: expected === undefined ? `attribute_not_exists(#pk) OR NOT ${ALIVE}` : `attribute_exists(#pk) AND VAL = :expected AND ${ALIVE}`,
      ExpressionAttributeNames: NAMES,
      ExpressionAttributeValues: { ':now': number(Date.now()), ...(expected !== undefined && { ':expected': bytes(expected) }) },
    };
    return this.onCondition((dynamo) => (value === undefined
      ? dynamo.deleteItem({ TableName: this.backend.table, Key: { PK: text(key) }, ...condition })
      : dynamo.putItem({ TableName: this.backend.table, Item: toItem(key, { value, ...expiring(ttlMs) }), ...condition })));
  }

  async close(): Promise<void> {
    const client = await this.client?.catch(() => null);
    this.client = null;
    client?.destroy();
  }

  /** Writes a counter if it is as it was read, its log included. */
  private replace(key: string, found: Item | undefined, item: Item): Promise<boolean> {
    const isSame = found === undefined
      ? `attribute_not_exists(#pk) OR NOT ${ALIVE}`
      : `VAL = :value AND ${found.log === undefined ? 'attribute_not_exists(OPS)' : 'OPS = :log'} AND ${ALIVE}`;
    return this.onCondition((dynamo) => dynamo.putItem({
      TableName: this.backend.table,
      Item: toItem(key, item),
      ConditionExpression: isSame,
      ExpressionAttributeNames: found === undefined ? NAMES : { '#exp': 'EXP' },
      ExpressionAttributeValues: { ':now': number(Date.now()), ...(found && { ':value': bytes(found.value) }), ...(found?.log !== undefined && { ':log': text(found.log) }) },
    }));
  }

  private async read(key: string, consistent: boolean, projection?: string): Promise<Item | undefined> {
    const { Item: item } = await this.ask((dynamo) => dynamo.getItem({
      TableName: this.backend.table, Key: { PK: text(key) }, ConsistentRead: consistent, ...(projection !== undefined && { ProjectionExpression: projection }),
    }));
    return item && fromItem(item);
  }

  private async writeMany(requests: WriteRequest[]): Promise<void> {
    const { table } = this.backend;
    await inBatches(requests, MAX_WRITE, async (batch) => {
      const input: BatchWriteItemCommandInput = { RequestItems: { [table]: batch } };
      const { UnprocessedItems } = await this.ask((dynamo) => dynamo.batchWriteItem(input));
      return UnprocessedItems?.[table] ?? [];
    });
  }

  private async onCondition(write: (dynamo: DynamoDB) => Promise<unknown>): Promise<boolean> {
    try {
      await this.ask(write);
      return true;
    } catch (error) {
      if (error instanceof StoreError && (error.cause as Error).name === 'ConditionalCheckFailedException') return false;
      throw error;
    }
  }

  private async ask<T>(use: (dynamo: DynamoDB) => Promise<T>): Promise<T> {
    const client = await (this.client ??= connect(this.backend));
    try {
      return await use(client);
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

async function connect({ region, endpoint, accessKey, secretKey, token }: DynamoBackend): Promise<DynamoDB> {
  const { DynamoDB: Client } = await import('@aws-sdk/client-dynamodb');
  return new Client({
    region,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: TIMEOUT_MS, throwOnRequestTimeout: true },
    ...(endpoint !== undefined && { endpoint }),
    ...(accessKey !== undefined && secretKey !== undefined && { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey, ...(token !== undefined && { sessionToken: token }) } }),
  });
}

const expiring = (ttlMs: number | undefined): Pick<Item, 'expiresAtMs'> => (ttlMs === undefined ? {} : { expiresAtMs: Date.now() + Math.ceil(ttlMs) });

function toItem(key: string, { value, expiresAtMs, log }: Item): Record<string, AttributeValue> {
  return {
    PK: text(key),
    VAL: bytes(value),
    ...(expiresAtMs !== undefined && { EXP: number(expiresAtMs), TTL: number(Math.ceil(expiresAtMs / 1000)) }),
    ...(log !== undefined && { OPS: text(log) }),
  };
}

/** undefined: it is over, and DynamoDB will delete it in its own time. */
function fromItem({ VAL, EXP, OPS }: Record<string, AttributeValue>): Item | undefined {
  const expiresAtMs = EXP?.N === undefined ? undefined : Number(EXP.N);
  if (expiresAtMs !== undefined && expiresAtMs <= Date.now()) return undefined;
  return { value: VAL?.B ?? new Uint8Array(0), ...(expiresAtMs !== undefined && { expiresAtMs }), ...(OPS?.S !== undefined && { log: OPS.S }) };
}

/** Hands over all, a batch at a time; what the service had no capacity for comes again. Throws StoreError when that does not end. */
async function inBatches<T>(all: readonly T[], size: number, send: (batch: T[]) => Promise<T[]>): Promise<void> {
  const left = [...all];
  for (let failures = 0; left.length > 0;) {
    const unprocessed = await send(left.splice(0, size));
    if (unprocessed.length === 0) continue;
    if (++failures === MAX_ATTEMPTS) throw new StoreError('the store is busy');
    left.push(...unprocessed);
    await sleep(nextPause(failures));
  }
}

/** Longer each time, and never two writers at the same pace. */
const nextPause = (attempt: number): number => Math.min(100, attempt * 2) * (0.5 + Math.random());

/** What the service says of a request is for the guest by its name alone; what the client says may tell of credentials and places. */
function toStoreError(error: unknown): unknown {
  const isOfService = error instanceof Error && '$fault' in error;
  return isOfService ? new StoreError(`the store answered with ${error.name}`, { cause: error }) : error;
}
