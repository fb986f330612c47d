import type { RuntimeConfig } from '#contract/runtime-config.js';

/** What is shown in the place of a secret. */
export const MASK = '***';

const SECRETS: ReadonlySet<string> = new Set(['key', 'access_key', 'secret_key', 'token', 'auth_token', 'client_secret', 'client_private_key_pem']);
const URLS: ReadonlySet<string> = new Set(['url', 'vault_url', 'endpoint', 'authority_host']);

/** The configuration as anybody may see it: no secret is in it. */
export function maskConfig(config: RuntimeConfig): RuntimeConfig {
  const { key_value_store: stores, sqlite_database: databases, llm_compute: llm, variables_provider: providers, client_tls: tls } = config;
  return {
    ...config,
    ...(stores && { key_value_store: mapValues(stores, maskSettings) }),
    ...(databases && { sqlite_database: mapValues(databases, maskSettings) }),
    ...(llm && { llm_compute: maskSettings(llm) }),
    ...(providers && { variables_provider: providers.map((provider) => (provider.type === 'static' ? { ...provider, values: mapValues(provider.values, () => MASK) } : maskSettings(provider))) }),
    ...(tls && { client_tls: tls.map(maskSettings) }),
  };
}

/** One table of it, such as the settings of one store. */
export function maskSettings<T extends object>(settings: T): T {
  return mapValues(settings, (value, key) => {
    if (typeof value !== 'string') return value;
    if (SECRETS.has(key)) return MASK;
    return URLS.has(key) ? maskUrl(value) : value;
  }) as T;
}

/** A user without a password may be a token, and so may any value of a query. */
function maskUrl(text: string): string {
  if (!URL.canParse(text)) return MASK;
  const url = new URL(text);
  const user = url.password === '' ? (url.username && `${MASK}@`) : `${url.username}:${MASK}@`;
  return `${url.protocol}//${user}${url.host}${url.pathname}${url.search && `?${MASK}`}`;
}

function mapValues<V, W>(record: Record<string, V> | object, map: (value: V, key: string) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value as V, key)]));
}
