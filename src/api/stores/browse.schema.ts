import { z } from 'zod';
import { NodeName } from '#contract/ids.js';
import { MAX_STORE_WORK_MS, SqlJson } from '#contract/store-request.js';
import { PageQuery } from '#platform/http/page.js';
import { StoreParams } from './store.schema.js';

/** A century: more is for ever. */
const MAX_TTL_MS = 100 * 365 * 24 * 60 * 60_000;
const MAX_PARAMS = 1_000;
const MAX_SQL = 1024 * 1024;

export const VALUE_TYPES = ['application/octet-stream', 'application/json'] as const;

/** Which node is asked; needed where the store is a file and there are several. */
export const OnNode = z.object({ node: NodeName.optional().describe('The node that is asked; needed when the store is a file and there are several nodes.') });

export const KeysQuery = PageQuery.extend({ ...OnNode.shape, prefix: z.string().default('').describe('Only keys that begin so.') });
export type KeysQuery = z.infer<typeof KeysQuery>;
export const KeyParams = StoreParams.extend({ key: z.string().min(1).describe('The key, percent-encoded.') });
export const SetQuery = OnNode.extend({ ttlMs: z.coerce.number().int().min(1).max(MAX_TTL_MS).optional().describe('The key is gone after so many milliseconds; without it, it stays.') });
export type SetQuery = z.infer<typeof SetQuery>;

export const ValueView = z.object({ key: z.string(), value: z.base64().describe('In base64.') });
export type ValueView = z.infer<typeof ValueView>;
/** A value in a JSON body. */
export const ValueBody = z.strictObject({ value: z.base64() });

const Param = z.union([SqlJson, z.boolean().transform((value) => Number(value))]);

export const SqlRequest = z.strictObject({
  sql: z.string().min(1).max(MAX_SQL).describe('One statement.'),
  params: z.array(Param).max(MAX_PARAMS).default([]).describe('Of its placeholders, in order. A BLOB is {"base64": "…"}, an INTEGER that JSON would round {"integer": "…"}.'),
  readOnly: z.boolean().default(true).describe('The statement may change nothing.'),
  timeoutMs: z.int().min(1).max(MAX_STORE_WORK_MS).default(MAX_STORE_WORK_MS).describe('One that takes longer is stopped.'),
});
export type SqlRequest = z.infer<typeof SqlRequest>;

export const SqlView = z.object({
  columns: z.array(z.string()),
  rows: z.array(z.array(SqlJson)),
  changes: z.int().describe('Rows that the statement changed.'),
  lastInsertRowid: SqlJson,
});
export type SqlView = z.infer<typeof SqlView>;
