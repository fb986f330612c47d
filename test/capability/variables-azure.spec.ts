import dns from 'node:dns';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { VariableFault } from '#runtime/capability/variables/variable-fault.js';
import { AzureKeyVaultProvider } from '#runtime/capability/variables/azure-key-vault.provider.js';
import { hasOpenssl, makeCertificates } from '../fixtures/certificates.js';
import { startKeyVault, type KeyVaultStandIn } from '../fixtures/servers/azure-key-vault.js';

const HOST = 'mine.vault.test';
const TENANT = '11111111-2222-3333-4444-555555555555';
const SECRET = 'hush-of-the-client';

(hasOpenssl ? describe : describe.skip)(`Azure Key Vault${hasOpenssl ? '' : ' (left out: openssl is not installed)'}`, () => {
  let vault: KeyVaultStandIn;
  const { lookup } = dns;
  beforeAll(async () => {
    const certificates = makeCertificates(HOST);
    setDefaultCACertificates([...getCACertificates('default'), certificates.ca]);
    // the client sends its token to names alone, never to an address
    (dns as { lookup: unknown }).lookup = (name: string, options: { all?: boolean }, done: (error: null, address: unknown, family?: number) => void) => {
      if (name !== HOST) return (lookup as (...args: unknown[]) => void)(name, options, done);
      return options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
    };
    vault = await startKeyVault(certificates, HOST, TENANT);
  });
  afterAll(async () => {
    (dns as { lookup: unknown }).lookup = lookup;
    await vault.stop();
  });
  beforeEach(() => {
    vault.asked = [];
    vault.secrets.clear();
  });
  const provider = (more: object = {}) => new AzureKeyVaultProvider({
    type: 'azure_key_vault', vaultUrl: `https://${HOST}:${vault.port}`, tenantId: TENANT, clientId: 'client', clientSecret: SECRET, authorityHost: `https://${HOST}:${vault.port}`, ...more,
  });

  it('is asked for the secret of that name, with dashes for underscores, by the client\'s own credentials', async () => {
    vault.secrets.set('api-key-2', 's3cret');
    expect(await provider().get('api_key_2')).toBe('s3cret');
    expect(vault.asked).toEqual([expect.stringMatching(/^\/secrets\/api-key-2\/?$/)]);
    expect(vault.tokensAsked.at(-1)).toContain('client_id=client');
  });

  it('signs in once for many questions', async () => {
    vault.secrets.set('a', '1').set('b', '2');
    vault.tokensAsked = [];
    const azure = provider();
    expect([await azure.get('a'), await azure.get('b')]).toEqual(['1', '2']);
    expect(vault.tokensAsked).toHaveLength(1);
  });

  it('that has no such secret passes the question on', async () => {
    expect(await provider().get('none')).toBeUndefined();
  });

  it('that cannot be reached is a fault in the words of Spin, without the client\'s secret', async () => {
    const fault = await provider({ vaultUrl: 'https://mine.vault.test:1' }).get('a').then(() => undefined, (error: unknown) => error as VariableFault);
    expect(fault).toBeInstanceOf(VariableFault);
    expect(fault!.message).toBe('Failed to read variable from Azure Key Vault');
    expect(JSON.stringify([fault!.message, fault!.reason])).not.toContain(SECRET);
  });
});
