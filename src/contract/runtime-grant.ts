import { z } from 'zod';

/**
 * What the operator's runtime configuration comes to for one channel of one app: the places behind its labels, and the rules for its
 * connections. Part of an assignment, so the terms are Spin's (runtime-config), with every link to a store followed, every default put in
 * and every secret in clear: nothing of it is ever logged or shown.
 */

/** A label as manifests write it: kebab-case or snake_case. */
export const Label = z.string().min(1).max(128);

/** A file of the node, below the folder of the app's org; the same file for every app that is linked to it. */
const FileBackend = z.object({ type: z.literal('spin'), file: z.string() });

export const KeyValueBackend = z.discriminatedUnion('type', [
  FileBackend,
  z.object({ type: z.literal('redis'), url: z.string() }),
  z.object({ type: z.literal('postgres'), url: z.string() }),
  /** Without `key`: by the environment's Azure identity. */
  z.object({ type: z.literal('azure_cosmos'), key: z.string().optional(), account: z.string(), database: z.string(), container: z.string() }),
  /** Without keys: by the environment's AWS identity. `endpoint`: another service than AWS's that speaks its protocol. */
  z.object({
    type: z.literal('aws_dynamo'),
    region: z.string(),
    table: z.string(),
    consistentRead: z.boolean(),
    accessKey: z.string().optional(),
    secretKey: z.string().optional(),
    token: z.string().optional(),
    endpoint: z.string().optional(),
  }),
]);
export type KeyValueBackend = z.infer<typeof KeyValueBackend>;

export const SqliteBackend = z.discriminatedUnion('type', [
  FileBackend,
  z.object({ type: z.literal('libsql'), url: z.string(), token: z.string() }),
]);
export type SqliteBackend = z.infer<typeof SqliteBackend>;

export const LlmCompute = z.object({
  type: z.literal('remote_http'),
  url: z.string(),
  authToken: z.string(),
  apiType: z.enum(['default', 'open_ai']),
});
export type LlmCompute = z.infer<typeof LlmCompute>;

export const VariablesProvider = z.discriminatedUnion('type', [
  z.object({ type: z.literal('static'), values: z.record(z.string(), z.string()) }),
  /** Of the node's own environment: only names that begin with the prefix and `_` are ever looked at. */
  z.object({ type: z.literal('env'), prefix: z.string() }),
  z.object({ type: z.literal('vault'), url: z.string(), token: z.string(), mount: z.string(), prefix: z.string().optional() }),
  z.object({
    type: z.literal('azure_key_vault'),
    vaultUrl: z.string(),
    clientId: z.string().optional(),
    clientSecret: z.string().optional(),
    tenantId: z.string().optional(),
    authorityHost: z.string().optional(),
  }),
]);
export type VariablesProvider = z.infer<typeof VariablesProvider>;

export const ClientTls = z.object({
  componentIds: z.array(z.string()),
  hosts: z.array(z.string()),
  /** Whether Node's own root certificates count beside `caRoots`. */
  caUseRoots: z.boolean(),
  /** PEM. */
  caRoots: z.string().optional(),
  clientCert: z.string().optional(),
  clientPrivateKey: z.string().optional(),
});
export type ClientTls = z.infer<typeof ClientTls>;

const count = z.int().nonnegative().optional();

/** Connections of all the app's components in one runner; absent: the limits of the components alone. */
const Connections = z.object({ maxConnections: count });

export const RuntimeGrant = z.object({
  keyValueStores: z.record(Label, KeyValueBackend).default({}),
  sqliteDatabases: z.record(Label, SqliteBackend).default({}),
  llmCompute: LlmCompute.optional(),
  /** In the order in which they are asked, after the values that were set through the API. */
  variablesProviders: z.array(VariablesProvider).default([]),
  outboundNetworking: z.object({
    /** Networks that are refused after name resolution, as CIDR; `private` stands for all that are not public. */
    blockNetworks: z.array(z.string()).default([]),
    maxSocketConnections: count,
    maxTotalConnections: count,
  }).prefault({}),
  outboundHttp: Connections.extend({ connectionPooling: z.boolean().default(true) }).prefault({}),
  outboundRedis: Connections.prefault({}),
  outboundPg: Connections.prefault({}),
  outboundMysql: Connections.prefault({}),
  outboundMqtt: Connections.extend({ maxPayloadSizeBytes: count }).prefault({}),
  clientTls: z.array(ClientTls).default([]),
});
export type RuntimeGrant = z.infer<typeof RuntimeGrant>;

/** Nothing configured: the labels `default` alone, and the platform's own rules. */
export const NO_RUNTIME_GRANT: RuntimeGrant = RuntimeGrant.parse({});
