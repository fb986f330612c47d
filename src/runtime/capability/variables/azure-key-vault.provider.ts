import type { SecretClient } from '@azure/keyvault-secrets';
import type { VariablesProvider } from '#contract/runtime-grant.js';
import { VariableFault } from './variable-fault.js';

type Config = Extract<VariablesProvider, { type: 'azure_key_vault' }>;

const TIMEOUT_MS = 10_000;

/** Spin's names of clouds. */
const AUTHORITIES: Readonly<Record<string, string>> = {
  azurepubliccloud: 'https://login.microsoftonline.com',
  azurechina: 'https://login.chinacloudapi.cn',
  azuregermany: 'https://login.microsoftonline.de',
  azuregovernment: 'https://login.microsoftonline.us',
};

/** Spin's words. */
const FAULT = 'Failed to read variable from Azure Key Vault';

/** Azure Key Vault. Its names have no underscores: they are dashes there. */
export class AzureKeyVaultProvider {
  private client: Promise<SecretClient> | null = null;

  constructor(private readonly config: Config) {}

  /** undefined: it has no such secret. Rejects with a VariableFault. */
  async get(name: string): Promise<string | undefined> {
    try {
      this.client ??= connect(this.config);
      const { value } = await (await this.client).getSecret(name.replaceAll('_', '-'), { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
      return value;
    } catch (error) {
      const { statusCode, code, name: kind } = error as { statusCode?: number; code?: string; name?: string };
      if (statusCode === 404) return undefined;
      throw new VariableFault(FAULT, `${FAULT}: ${statusCode === undefined ? (code ?? kind) : `it answers ${statusCode}`}`);
    }
  }
}

/** By the client's secret where all of it is given, else by whatever identity the environment has. The libraries are large: loaded at first use. */
async function connect({ vaultUrl, tenantId, clientId, clientSecret, authorityHost }: Config): Promise<SecretClient> {
  const [{ SecretClient: Client }, { ClientSecretCredential, DefaultAzureCredential }] = await Promise.all([import('@azure/keyvault-secrets'), import('@azure/identity')]);
  const authority = toAuthority(authorityHost);
  const credential = tenantId !== undefined && clientId !== undefined && clientSecret !== undefined
    ? new ClientSecretCredential(tenantId, clientId, clientSecret, authority)
    : new DefaultAzureCredential(authority);
  return new Client(vaultUrl, credential, { retryOptions: { maxRetries: 1 } });
}

/** A cloud by its name, or the address of an authority of one's own, which the public cloud knows nothing of. */
function toAuthority(host: string | undefined): { authorityHost?: string; disableInstanceDiscovery?: boolean } {
  if (host === undefined) return {};
  const known = AUTHORITIES[host.toLowerCase()];
  return known === undefined ? { authorityHost: host, disableInstanceDiscovery: true } : { authorityHost: known };
}
