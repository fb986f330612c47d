import { createSecureContext, rootCertificates, type ConnectionOptions, type SecureContext } from 'node:tls';
import type { ClientTls } from '#contract/runtime-grant.js';
import type { GuestGrant } from '../guest.js';
import { canonicalHost } from './outbound-policy.js';

const contexts = new WeakMap<ClientTls, SecureContext>();

/** What of `tls.connect` says by itself whom to trust, and who one is. */
const OWN_TRUST = ['ca', 'cert', 'key', 'pfx', 'secureContext'] as const;

/**
 * Options of TLS for a component's connection to `host`, as the operator set them (`client_tls`; the first entry that names both counts) under
 * what the caller asks for itself. Throws when a certificate or key cannot be read.
 */
export function clientTlsOptions(grant: GuestGrant, host: string, own: ConnectionOptions = {}): ConnectionOptions {
  const entry = entryOf(grant, host);
  if (!entry) return own;
  return OWN_TRUST.some((key) => own[key] !== undefined) ? { ...materialOf(entry), ...own } : { ...own, secureContext: contextOf(entry) };
}

/** What `clientTlsOptions` is made of, for a library that knows certificates and keys alone; null: the operator set nothing. */
export function clientTlsMaterial(grant: GuestGrant, host: string): ConnectionOptions | null {
  const entry = entryOf(grant, host);
  return entry ? materialOf(entry) : null;
}

function entryOf({ runtime, component }: GuestGrant, host: string): ClientTls | undefined {
  return runtime.clientTls.find(({ componentIds, hosts }) => componentIds.includes(component) && hosts.some((pattern) => isMatch(pattern, host)));
}

function isMatch(pattern: string, host: string): boolean {
  if (pattern === '*') return true;
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1).toLowerCase()) : canonicalHost(pattern) === host;
}

/** Made once: reading a hundred roots takes milliseconds. */
function contextOf(entry: ClientTls): SecureContext {
  let context = contexts.get(entry);
  if (!context) contexts.set(entry, (context = createSecureContext(materialOf(entry))));
  return context;
}

function materialOf({ caUseRoots, caRoots, clientCert, clientPrivateKey }: ClientTls): ConnectionOptions {
  return {
    ca: [...(caUseRoots ? rootCertificates : []), ...(caRoots === undefined ? [] : [caRoots])],
    ...(clientCert === undefined ? {} : { cert: clientCert }),
    ...(clientPrivateKey === undefined ? {} : { key: clientPrivateKey }),
  };
}
