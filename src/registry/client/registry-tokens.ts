import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { type Challenge, readChallenge } from './challenge.js';
import type { Credentials, DockerCredentials } from './docker-credentials.js';
import { dropBody, fieldOf, readBody, type RegistryAnswer, type RegistryHttp } from './registry-http.client.js';

const MAX_TOKEN_BYTES = 256 * 1024;
/** What a token is good for when the answer does not say (distribution's token specification). */
const DEFAULT_LIFE_S = 60;
/** A token is replaced a little before it ends, so that it does not end on its way. */
const MARGIN_MS = 5_000;
/** So soon it is seen that the operator has changed or taken away credentials that are sent as they are. */
const STATIC_LIFE_MS = 60_000;
const MAX_KEPT = 1_000;
const CLIENT_ID = 'whorl';

const TokenAnswer = z.object({
  token: z.string().min(1).optional(),
  access_token: z.string().min(1).optional(),
  expires_in: z.number().positive().optional(),
}).refine(({ token, access_token }) => (token ?? access_token) !== undefined, 'expected token or access_token');

interface Known {
  /** Undefined when it could not be had: whoever else waits for it asks for himself, and not with the signal of the first. */
  authorization: Promise<string | undefined>;
  untilMs: number;
}

export interface Access {
  /** The registry, as a reference names it. */
  host: string;
  repository: string;
}

/**
 * How we make ourselves known to each registry: Basic, or Bearer tokens by the token flow (distribution's token and OAuth 2 specifications), kept
 * as long as they are good. Layers that are fetched side by side ask for one token.
 */
export class RegistryTokens {
  private readonly known = new Map<string, Known>();

  constructor(
    private readonly http: RegistryHttp,
    private readonly credentials: DockerCredentials,
  ) {}

  /** What was found out before; undefined: ask without, and see what the registry wants. */
  async find(access: Access): Promise<string | undefined> {
    const found = this.known.get(keyOf(access));
    return found && found.untilMs > Date.now() ? found.authorization : undefined;
  }

  /**
   * The Authorization for a repository whose registry has just answered 401. `refused` is what it was asked with. Throws REGISTRY_IMAGE_DENIED
   * when there is nothing (else) to make ourselves known with.
   */
  async answer(access: Access, answer: RegistryAnswer, refused: string | undefined, signal: AbortSignal): Promise<string> {
    const key = keyOf(access);
    const current = this.known.get(key);
    // Another request has had it replaced meanwhile.
    const replaced = current && current.untilMs > Date.now() ? await current.authorization : undefined;
    if (replaced !== undefined && replaced !== refused) return replaced;
    const challenge = readChallenge(fieldOf(answer, 'www-authenticate') ?? '');
    if (!challenge) throw new WhorlError('REGISTRY_IMAGE_DENIED', `${access.host} answers 401 and asks neither for a token nor for a password`);
    const made = this.make(access, challenge, answer.url, signal);
    // Until it is there it does not end; when it is, it lives as long as it says.
    const known: Known = { authorization: made.then(({ authorization }) => authorization, () => undefined), untilMs: Infinity };
    this.keep(key, known);
    try {
      const { authorization, lifeMs } = await made;
      known.untilMs = Date.now() + lifeMs;
      return authorization;
    } catch (error) {
      if (this.known.get(key) === known) this.known.delete(key);
      throw error;
    }
  }

  private async make(access: Access, challenge: Challenge, asked: URL, signal: AbortSignal): Promise<{ authorization: string; lifeMs: number }> {
    const credentials = await this.credentials.find(access.host);
    if (credentials?.kind === 'registry-token') return { authorization: `Bearer ${credentials.token}`, lifeMs: STATIC_LIFE_MS };
    if (challenge.scheme === 'basic') {
      if (credentials?.kind !== 'password') throw new WhorlError('REGISTRY_IMAGE_DENIED', `${access.host} wants a user and a password, and none is set for it`);
      return { authorization: basicOf(credentials), lifeMs: STATIC_LIFE_MS };
    }
    const realm = URL.parse(challenge.realm);
    if (!realm) throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${access.host} names "${challenge.realm}" for tokens, which is no URL`);
    if (asked.protocol === 'https:' && realm.protocol !== 'https:') throw new WhorlError('REGISTRY_IMAGE_REFUSED', `${access.host} wants credentials sent to ${realm.origin}, which is not encrypted`);
    const wish = { realm, service: challenge.service, scope: challenge.scope ?? `repository:${access.repository}:pull` };
    const answer = await this.ask(wish, credentials, signal);
    const where = `${realm.host}, where ${access.host} has its tokens,`;
    if (answer.status !== 200) {
      dropBody(answer);
      if (answer.status >= 500) throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${where} answers ${answer.status}`);
      throw new WhorlError('REGISTRY_IMAGE_DENIED', `${where} answers ${answer.status}${credentials ? ' to the credentials that are set' : ', and no credentials are set'} for ${access.host}`);
    }
    const { token, access_token, expires_in = DEFAULT_LIFE_S } = readToken(await readBody(answer, MAX_TOKEN_BYTES, signal), where);
    return { authorization: `Bearer ${token ?? access_token}`, lifeMs: Math.max(0, expires_in * 1000 - MARGIN_MS) };
  }

  /** By GET as most know it; by POST (OAuth 2) with an identity token, and where GET is not known. */
  private async ask({ realm, service, scope }: Wish, credentials: Credentials | undefined, signal: AbortSignal): Promise<RegistryAnswer> {
    const post = (grant: Record<string, string>): Promise<RegistryAnswer> => {
      const body = new URLSearchParams({ ...grant, ...(service !== undefined && { service }), scope, client_id: CLIENT_ID }).toString();
      return this.http.send({ method: 'POST', url: realm, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body }, signal);
    };
    if (credentials?.kind === 'identity-token') return post({ grant_type: 'refresh_token', refresh_token: credentials.token });
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    for (const each of scope.split(' ')) url.searchParams.append('scope', each);
    if (credentials?.kind !== 'password') return this.http.send({ url }, signal);
    url.searchParams.set('account', credentials.username);
    const answer = await this.http.send({ url, authorization: basicOf(credentials) }, signal);
    if (answer.status !== 404 && answer.status !== 405) return answer;
    dropBody(answer);
    return post({ grant_type: 'password', username: credentials.username, password: credentials.password });
  }

  private keep(key: string, known: Known): void {
    this.known.delete(key);
    this.known.set(key, known);
    for (const oldest of this.known.keys()) {
      if (this.known.size <= MAX_KEPT) return;
      this.known.delete(oldest);
    }
  }
}

interface Wish {
  realm: URL;
  service: string | undefined;
  scope: string;
}

const keyOf = ({ host, repository }: Access): string => `${host}/${repository}`;

const basicOf = ({ username, password }: { username: string; password: string }): string => `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

function readToken(body: Buffer, where: string): z.infer<typeof TokenAnswer> {
  try {
    return TokenAnswer.parse(JSON.parse(body.toString('utf8')));
  } catch (error) {
    throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${where} answers with something that is no token`, { cause: error });
  }
}
