import type { VariablesProvider } from '#contract/runtime-grant.js';
import { AzureKeyVaultProvider } from './azure-key-vault.provider.js';
import type { VariableFault } from './variable-fault.js';
import { VaultProvider } from './vault.provider.js';

/** Keeps values of variables somewhere else. */
export interface VariableProvider {
  /** undefined: it has no such variable. Rejects with a VariableFault. */
  get(name: string): Promise<string | undefined>;
}

/** Providers that have to be asked, over the network. */
export type RemoteProvider = Extract<VariablesProvider, { type: 'vault' | 'azure_key_vault' }>;

/** For so long an answer counts as the present one: requests that come together are one question. */
const FRESH_MS = 10_000;

/** Asks once for what is asked often. A failure is not kept. */
class CachedProvider implements VariableProvider {
  private readonly answers = new Map<string, { value: Promise<string | undefined>; untilMs: number }>();

  constructor(private readonly inner: VariableProvider) {}

  get(name: string): Promise<string | undefined> {
    const known = this.answers.get(name);
    if (known && known.untilMs > performance.now()) return known.value;
    const answer = { value: this.inner.get(name), untilMs: performance.now() + FRESH_MS };
    this.answers.set(name, answer);
    answer.value.catch((_fault: VariableFault) => {
      if (this.answers.get(name) === answer) this.answers.delete(name);
    });
    return answer.value;
  }
}

const providers = new WeakMap<RemoteProvider, VariableProvider>();

/** The one provider for a configuration; another one, though it says the same, begins anew. */
export function providerOf(config: RemoteProvider): VariableProvider {
  let provider = providers.get(config);
  if (!provider) providers.set(config, (provider = new CachedProvider(config.type === 'vault' ? new VaultProvider(config) : new AzureKeyVaultProvider(config))));
  return provider;
}
