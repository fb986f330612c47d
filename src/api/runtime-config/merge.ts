import type { ClientTlsConfig, KeyValueStoreConfig, RuntimeConfig, SqliteDatabaseConfig, VariablesProviderConfig } from '#contract/runtime-config.js';
import { type ClientTls, type KeyValueBackend, NO_RUNTIME_GRANT, RuntimeGrant, type SqliteBackend, type VariablesProvider } from '#contract/runtime-grant.js';
import { appStoreFile, sharedStoreFile } from '#contract/store-file.js';

/** Stores behind labels, beside what is configured for them. */
export interface LabelledStores {
  keyValueStores: Record<string, KeyValueBackend>;
  sqliteDatabases: Record<string, SqliteBackend>;
}

export const NO_STORES: LabelledStores = { keyValueStores: {}, sqliteDatabases: {} };

/**
 * What the layers of configuration, the weakest first, come to for one app: by label for stores, by table for everything else. `defaults`
 * are taken for labels that no layer names, `links` before everything.
 */
export function toRuntimeGrant(app: string, layers: readonly RuntimeConfig[], { links = NO_STORES, defaults = NO_STORES }: { links?: LabelledStores; defaults?: LabelledStores } = {}): RuntimeGrant {
  // Most apps: a look at a thousand of them must cost nothing.
  if (layers.length === 0 && links === NO_STORES && defaults === NO_STORES) return NO_RUNTIME_GRANT;
  const config = merge(layers);
  const { outbound_networking: networking, outbound_http: http, outbound_mqtt: mqtt, llm_compute: llm } = config;
  return RuntimeGrant.parse({
    keyValueStores: { ...defaults.keyValueStores, ...mapEntries(config.key_value_store, (store, label) => toKeyValueBackend(store, appStoreFile(app, 'key-value', label))), ...links.keyValueStores },
    sqliteDatabases: { ...defaults.sqliteDatabases, ...mapEntries(config.sqlite_database, (database, label) => toSqliteBackend(database, appStoreFile(app, 'sqlite', label))), ...links.sqliteDatabases },
    ...(llm && { llmCompute: { type: llm.type, url: llm.url, authToken: llm.auth_token, apiType: llm.api_type } }),
    variablesProviders: config.variables_provider?.map(toVariablesProvider),
    ...(networking && {
      outboundNetworking: {
        blockNetworks: networking.block_networks,
        maxSocketConnections: networking.max_socket_connections,
        maxTotalConnections: networking.max_total_connections,
      },
    }),
    ...(http && { outboundHttp: { connectionPooling: http.connection_pooling, maxConnections: http.max_connections ?? http.max_concurrent_requests } }),
    outboundRedis: toConnections(config.outbound_redis),
    outboundPg: toConnections(config.outbound_pg),
    outboundMysql: toConnections(config.outbound_mysql),
    ...(mqtt && { outboundMqtt: { maxConnections: mqtt.max_connections, maxPayloadSizeBytes: mqtt.max_payload_size_bytes } }),
    clientTls: config.client_tls?.map(toClientTls),
  });
}

/** @param ownFile where a store without a path of its own lies */
export function toKeyValueBackend(store: KeyValueStoreConfig, ownFile: string): KeyValueBackend {
  switch (store.type) {
    case 'spin':
      return { type: 'spin', file: store.path === undefined ? ownFile : sharedStoreFile('key-value', store.path) };
    case 'aws_dynamo': {
      const { consistent_read: consistentRead, access_key: accessKey, secret_key: secretKey, ...rest } = store;
      return { ...rest, consistentRead, accessKey, secretKey };
    }
    default:
      return store;
  }
}

/** @param ownFile as in `toKeyValueBackend` */
export function toSqliteBackend(database: SqliteDatabaseConfig, ownFile: string): SqliteBackend {
  if (database.type === 'libsql') return database;
  return { type: 'spin', file: database.path === undefined ? ownFile : sharedStoreFile('sqlite', database.path) };
}

function merge(layers: readonly RuntimeConfig[]): RuntimeConfig {
  return layers.reduce((merged, layer) => ({
    ...merged,
    ...layer,
    key_value_store: { ...merged.key_value_store, ...layer.key_value_store },
    sqlite_database: { ...merged.sqlite_database, ...layer.sqlite_database },
  }), {});
}

function toVariablesProvider(provider: VariablesProviderConfig): VariablesProvider {
  switch (provider.type) {
    case 'env':
      return { type: 'env', prefix: provider.prefix };
    case 'azure_key_vault':
      return {
        type: 'azure_key_vault',
        vaultUrl: provider.vault_url,
        clientId: provider.client_id,
        clientSecret: provider.client_secret,
        tenantId: provider.tenant_id,
        authorityHost: provider.authority_host,
      };
    default:
      return provider;
  }
}

/** As Spin does: the usual roots count unless others are given. */
function toClientTls(tls: ClientTlsConfig): ClientTls {
  const givenNone = tls.ca_roots_pem === undefined;
  return {
    componentIds: tls.component_ids,
    hosts: tls.hosts,
    caUseRoots: tls.ca_use_platform_roots || (tls.ca_use_webpki_roots ?? givenNone),
    caRoots: tls.ca_roots_pem,
    clientCert: tls.client_cert_pem,
    clientPrivateKey: tls.client_private_key_pem,
  };
}

const toConnections = (table: { max_connections?: number | undefined } | undefined) => table && { maxConnections: table.max_connections };

function mapEntries<V, W>(record: Record<string, V> | undefined, map: (value: V, key: string) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record ?? {}).map(([key, value]) => [key, map(value, key)]));
}
