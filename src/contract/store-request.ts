import { z } from 'zod';
import { KeyValueBackend, SqliteBackend } from './runtime-grant.js';

/**
 * What the control plane asks of a node, which alone reaches the data of apps: to look into a store for a user of the API. The node comes
 * for it (`NODE_ROUTES.storeRequests`) and brings what came of it, so nothing ever connects to a node.
 */

/** A value through the API: more is not for looking at. In base64 it fits into a request of the API. */
export const MAX_BROWSED_BYTES = 8 * 1024 * 1024;
/** Rows of one answer together. */
export const MAX_ROWS_BYTES = 4 * 1024 * 1024;

/** What a node may take for one request. */
export const MAX_STORE_WORK_MS = 15_000;

const Base64 = z.base64();

/** An INTEGER that JSON would round has its digits in a text, a BLOB is in base64. */
export const SqlJson = z.union([z.null(), z.string(), z.number(), z.object({ integer: z.string().regex(/^-?\d{1,19}$/) }), z.object({ base64: Base64 })]);
export type SqlJson = z.infer<typeof SqlJson>;

export const StoreOperation = z.discriminatedUnion('op', [
  z.object({ op: z.literal('keys'), backend: KeyValueBackend, prefix: z.string(), cursor: z.string().optional(), limit: z.int() }),
  z.object({ op: z.literal('get'), backend: KeyValueBackend, key: z.string() }),
  z.object({ op: z.literal('set'), backend: KeyValueBackend, key: z.string(), value: Base64, ttlMs: z.int().optional() }),
  z.object({ op: z.literal('delete'), backend: KeyValueBackend, key: z.string() }),
  z.object({ op: z.literal('sql'), backend: SqliteBackend, sql: z.string(), params: z.array(SqlJson), readOnly: z.boolean() }),
  /** The store is deleted: its file goes, on every node that has it. */
  z.object({ op: z.literal('remove'), file: z.string() }),
]);
export type StoreOperation = z.infer<typeof StoreOperation>;

export const StoreRequest = z.object({ id: z.uuid(), org: z.string(), timeoutMs: z.int(), operation: StoreOperation });
export type StoreRequest = z.infer<typeof StoreRequest>;

export const StoreRequests = z.object({ requests: z.array(StoreRequest) });
export type StoreRequests = z.infer<typeof StoreRequests>;

export const StoreAnswer = z.discriminatedUnion('result', [
  z.object({ result: z.literal('keys'), keys: z.array(z.string()), cursor: z.string().nullable() }),
  /** null: there is no such key. */
  z.object({ result: z.literal('value'), value: Base64.nullable() }),
  z.object({ result: z.literal('done') }),
  z.object({ result: z.literal('rows'), columns: z.array(z.string()), rows: z.array(z.array(SqlJson)), changes: z.int(), lastInsertRowid: SqlJson }),
  /** `statement`: it is the fault of who wrote it. `late`: it was stopped. */
  z.object({ result: z.literal('failed'), reason: z.enum(['store', 'statement', 'late']), message: z.string() }),
]);
export type StoreAnswer = z.infer<typeof StoreAnswer>;
