import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';

/** How we are known to a registry. */
export type Credentials =
  | { kind: 'password'; username: string; password: string }
  /** Is given for access tokens, by OAuth 2's refresh_token grant. */
  | { kind: 'identity-token'; token: string }
  /** Is the bearer token itself. */
  | { kind: 'registry-token'; token: string };

const Entry = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});
const Config = z.object({ auths: z.record(z.string(), Entry).default({}), credsStore: z.string().optional(), credHelpers: z.record(z.string(), z.string()).optional() });

const DOCKER_HUB = new Set(['index.docker.io', 'registry-1.docker.io']);

/**
 * The operator's credentials for other registries: a file in the format of Docker's config.json, read each time so that a change needs no
 * restart. Credential helpers are programs, which a control plane does not run.
 */
export class DockerCredentials {
  private constructor(private readonly file: string | undefined) {}

  /** Throws an Error that says what is wrong with the file; without one nobody is known anywhere. */
  static async open(file: string | undefined): Promise<DockerCredentials> {
    if (file !== undefined) await readEntries(file);
    return new DockerCredentials(file);
  }

  /** For a registry by host and port. Throws REGISTRY_IMAGE_DENIED when the file has become unreadable. */
  async find(host: string): Promise<Credentials | undefined> {
    if (this.file === undefined) return undefined;
    try {
      return (await readEntries(this.file)).get(hostOf(host));
    } catch (error) {
      throw new WhorlError('REGISTRY_IMAGE_DENIED', `the credentials for ${host} cannot be read: ${(error as Error).message}`, { cause: error });
    }
  }
}

async function readEntries(file: string): Promise<Map<string, Credentials>> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new Error(`${file} ${why}`, { cause });
  };
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    // A syntax error's message quotes what it fails at, which may be a password.
    refuse(error instanceof SyntaxError ? 'is no JSON' : `cannot be read: ${(error as Error).message}`, error);
  }
  const { data, error } = Config.safeParse(json);
  if (!data) return refuse(`is no Docker config.json: ${error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`);
  const helper = data.credsStore ?? Object.values(data.credHelpers ?? {})[0];
  if (helper) refuse(`names the credential helper docker-credential-${helper}, which is not run here: put the credentials into "auths"`);
  const entries = new Map<string, Credentials>();
  for (const [key, entry] of Object.entries(data.auths)) {
    const credentials = toCredentials(entry) ?? (entry.auth === undefined ? undefined : refuse(`has an "auth" for ${key} that is not base64 of user:password`));
    if (credentials) entries.set(hostOf(key), credentials);
  }
  return entries;
}

/** Docker's order: tokens go before passwords. */
function toCredentials({ auth, username, password, identitytoken, registrytoken }: z.infer<typeof Entry>): Credentials | undefined {
  if (registrytoken) return { kind: 'registry-token', token: registrytoken };
  if (identitytoken) return { kind: 'identity-token', token: identitytoken };
  if (username !== undefined && password !== undefined) return { kind: 'password', username, password };
  const text = auth === undefined ? '' : Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon > 0 ? { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1) } : undefined;
}

/** Keys may be hosts or URLs (`https://index.docker.io/v1/`). */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, '').replace(/\/.*$/, '').toLowerCase();
  return DOCKER_HUB.has(host) ? 'docker.io' : host;
}
