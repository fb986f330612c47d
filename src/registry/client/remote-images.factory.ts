import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ControlConfig } from '#platform/config.js';
import { DockerCredentials } from './docker-credentials.js';
import { Dispatchers, type ReachOptions } from './dispatchers.js';
import { RegistryHttp } from './registry-http.client.js';
import { RegistryTokens } from './registry-tokens.js';
import { waitFor, type Wait } from './retry.js';
import { RemoteImageSource } from './remote-image-source.js';
import { RemoteRegistryClient } from './remote-registry.client.js';

export interface RemoteImagesOptions extends Omit<ReachOptions, 'ca'> {
  /** Credentials, in the format of Docker's config.json. */
  authFile: string | undefined;
  /** PEM of the roots of private authorities. */
  caFile: string | undefined;
  /** How it waits before it asks again. */
  wait?: Wait;
}

export interface RemoteImages {
  source: RemoteImageSource;
  /** Ends its connections. */
  close(): Promise<void>;
}

/** What the operator has set for other registries. */
export const remoteImagesOptions = (config: ControlConfig): RemoteImagesOptions => ({
  allowPrivate: config.WHORL_ALLOW_PRIVATE_SOURCES,
  privateHosts: config.WHORL_REGISTRY_PRIVATE_HOSTS ?? [],
  insecureOrigins: config.WHORL_REGISTRY_INSECURE_ORIGINS ?? [],
  authFile: config.WHORL_REGISTRY_AUTH_FILE,
  caFile: config.WHORL_REGISTRY_CA_FILE,
  proxy: config.WHORL_REGISTRY_PROXY,
  noProxy: config.WHORL_REGISTRY_NO_PROXY ?? '',
});

/** What fetches images of other registries. Throws an Error that names the file when one of the operator's cannot be used. */
export async function openRemoteImages({ authFile, caFile, wait = waitFor, ...reach }: RemoteImagesOptions): Promise<RemoteImages> {
  const dispatchers = new Dispatchers({ ...reach, ca: caFile === undefined ? undefined : await readRoots(caFile) });
  const http = new RegistryHttp(dispatchers, wait);
  const tokens = new RegistryTokens(http, await DockerCredentials.open(authFile));
  const source = new RemoteImageSource(new RemoteRegistryClient({ dispatchers, http, tokens }));
  return { source, close: () => dispatchers.close() };
}

/** OpenSSL leaves out what it cannot read without a word; a root that is missing should be noticed at start. */
async function readRoots(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`${file} cannot be read: ${error.message}`, { cause: error });
  });
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw new Error(`${file} has no certificate in PEM`);
  for (const pem of found) {
    try {
      void new X509Certificate(pem);
    } catch (error) {
      throw new Error(`${file} has a certificate that cannot be read: ${(error as Error).message}`, { cause: error });
    }
  }
  return text;
}
