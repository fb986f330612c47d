import { z } from 'zod';
import { checkStoreLabel } from './bundle/identifiers.js';
import { nearest } from './nearest.js';

/**
 * Runtime configuration as the operator writes it, in TOML or JSON: the tables and keys of Spin's runtime-config file. What it comes to
 * for one channel of one app is a `RuntimeGrant`. Keys that nobody reads are errors, each by name.
 */

/** An unknown key's message, with the known one that it may be a slip of. */
export function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return `unknown key "${key}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
}

/** A table that takes these keys and no others. Several unknown keys: a line of the message for each, in their order. */
const table = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? (issue['keys'] as string[]).map((key) => unknownKey(key, Object.keys(shape))).join('\n') : undefined) });

const oneOf = (types: string, note = '') => ({ error: () => `type: expected ${types}${note}` });

const text = z.string().min(1);
const count = z.int().nonnegative();
const urlOf = (schemes: readonly string[]) =>
  text.refine((url) => schemes.some((scheme) => url.startsWith(`${scheme}://`)) && URL.canParse(url), `expected a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);
const httpUrl = urlOf(['http', 'https']);

/** Below a folder of the platform's: no way out of it. */
const path = text.max(255).refine((value) => !/(^\/|^\.|\/\.|\/$|\/\/|\\|\0)/.test(value), 'expected a relative path without hidden folders, "." and ".."');

export const StoreLabel = z.string().superRefine((label, context) => {
  const problem = checkStoreLabel(label);
  if (problem) context.addIssue({ code: 'custom', message: problem });
});

const azureCosmos = table({ type: z.literal('azure_cosmos'), key: text.optional(), account: text, database: text, container: text });
const awsDynamo = table({
  type: z.literal('aws_dynamo'),
  region: text,
  table: text,
  consistent_read: z.boolean().default(false),
  access_key: text.optional(),
  secret_key: text.optional(),
  token: text.optional(),
  endpoint: httpUrl.optional(),
}).refine((store) => (store.access_key === undefined) === (store.secret_key === undefined), 'access_key and secret_key are given together or not at all');
const redis = table({ type: z.literal('redis'), url: urlOf(['redis', 'rediss']) });
const postgres = table({ type: z.literal('postgres'), url: urlOf(['postgres', 'postgresql']) });
const libsql = table({ type: z.literal('libsql'), url: httpUrl, token: z.string() });

/** Without `path` each app has a file of its own; with it, every app whose configuration names the path has the same file. */
const keyValueFile = table({ type: z.literal('spin'), path: path.optional() });
const sqliteFile = table({
  type: z.literal('spin'),
  path: path.optional(),
  allow_attach_file: z.boolean().refine((allowed) => !allowed, 'files of the node cannot be attached: an app sees its own databases alone').optional(),
});

export const KeyValueStoreConfig = z.discriminatedUnion('type', [keyValueFile, redis, postgres, azureCosmos, awsDynamo], oneOf('spin, redis, postgres, azure_cosmos or aws_dynamo'));
export type KeyValueStoreConfig = z.infer<typeof KeyValueStoreConfig>;
export const SqliteDatabaseConfig = z.discriminatedUnion('type', [sqliteFile, libsql], oneOf('spin or libsql'));
export type SqliteDatabaseConfig = z.infer<typeof SqliteDatabaseConfig>;

const LlmComputeConfig = z.discriminatedUnion('type', [
  table({ type: z.literal('remote_http'), url: httpUrl, auth_token: z.string(), api_type: z.enum(['default', 'open_ai']).default('default') }),
], oneOf('remote_http', ': nodes run no models of their own'));

const VariablesProviderConfig = z.discriminatedUnion('type', [
  table({ type: z.literal('static'), values: z.record(z.string(), z.string()) }),
  table({
    type: z.literal('env'),
    prefix: text.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the beginning of a variable of the environment').default('SPIN_VARIABLE'),
    dotenv_path: z.string().refine(() => false, 'files of the node are not read: set the variables in the environment of the node').optional(),
  }),
  table({ type: z.literal('vault'), url: httpUrl, token: z.string(), mount: text, prefix: text.optional() }),
  table({
    type: z.literal('azure_key_vault'),
    vault_url: httpUrl,
    client_id: text.optional(),
    client_secret: text.optional(),
    tenant_id: text.optional(),
    authority_host: text.optional(),
  }),
], oneOf('static, env, vault or azure_key_vault'));
export type VariablesProviderConfig = z.infer<typeof VariablesProviderConfig>;

const Network = z.union([z.literal('private'), z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], { error: 'expected "private", an address or a network like 10.0.0.0/8' });

const pem = z.string().max(262_144).regex(/^-----BEGIN [A-Z0-9 ]+-----$/m, 'expected PEM: -----BEGIN …-----');
/** The keys of client_tls that name a file, each with the key that holds the same as text. */
export const CLIENT_TLS_FILES = { ca_roots_file: 'ca_roots_pem', client_cert_file: 'client_cert_pem', client_private_key_file: 'client_private_key_pem' } as const;
const noFile = (key: string) => z.string().refine(() => false, `files are read from WHORL_RUNTIME_CONFIG alone: give the text as ${key}`).optional();

const ClientTlsConfig = table({
  component_ids: z.array(text).min(1),
  hosts: z.array(text).min(1),
  ca_use_platform_roots: z.boolean().default(false),
  ca_use_webpki_roots: z.boolean().optional(),
  ca_roots_pem: pem.optional(),
  client_cert_pem: pem.optional(),
  client_private_key_pem: pem.optional(),
  ca_roots_file: noFile(CLIENT_TLS_FILES.ca_roots_file),
  client_cert_file: noFile(CLIENT_TLS_FILES.client_cert_file),
  client_private_key_file: noFile(CLIENT_TLS_FILES.client_private_key_file),
}).refine((tls) => (tls.client_cert_pem === undefined) === (tls.client_private_key_pem === undefined), 'a client certificate and its private key are given together or not at all');
export type ClientTlsConfig = z.infer<typeof ClientTlsConfig>;

const ofTheProcess = (setting: string) => z.unknown().refine(() => false, `a setting of the processes, not of apps: ${setting}`).optional();
const connections = table({ max_connections: count.optional() });
const providers = z.array(VariablesProviderConfig);

export const RuntimeConfig = table({
  key_value_store: z.record(StoreLabel, KeyValueStoreConfig).optional(),
  sqlite_database: z.record(StoreLabel, SqliteDatabaseConfig).optional(),
  llm_compute: LlmComputeConfig.optional(),
  variables_provider: providers.optional(),
  /** The name that Spin had for it before. */
  config_provider: providers.optional(),
  outbound_networking: table({ block_networks: z.array(Network).optional(), max_socket_connections: count.optional(), max_total_connections: count.optional() }).optional(),
  outbound_http: table({
    /** As in Spin: off in a table that does not say, on without a table. */
    connection_pooling: z.boolean().default(false),
    max_connections: count.optional(),
    /** The name that Spin had for it before. */
    max_concurrent_requests: count.optional(),
  }).optional(),
  outbound_redis: connections.optional(),
  outbound_pg: connections.optional(),
  outbound_mysql: connections.optional(),
  outbound_mqtt: table({ max_connections: count.optional(), max_payload_size_bytes: count.optional() }).optional(),
  client_tls: z.array(ClientTlsConfig).optional(),
  state_dir: ofTheProcess('WHORL_NODE_DIR says where nodes keep data'),
  log_dir: ofTheProcess('GET /v1/apps/{app}/logs has the logs'),
  max_instance_memory: ofTheProcess('WHORL_LIMIT_MEMORY_BYTES'),
})
  .refine((config) => config.config_provider === undefined || config.variables_provider === undefined, 'config_provider is another name of variables_provider: give one of them')
  .transform(({ config_provider: older, ...config }) => (older === undefined ? config : { ...config, variables_provider: older }));
export type RuntimeConfig = z.output<typeof RuntimeConfig>;
