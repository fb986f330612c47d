import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { type Grant, REPOSITORY_ACTIONS } from './access.js';

/** The `service` of the token flow. */
export const REGISTRY_SERVICE = 'whorl';

/** Clients ask for a new one when it has expired; a platform token that is withdrawn ends to count in the registry after so long. */
export const REGISTRY_TOKEN_S = 300;

const HEADER = Buffer.from(JSON.stringify({ typ: 'JWT', alg: 'HS256' })).toString('base64url');
const Claims = z.object({
  iss: z.literal(REGISTRY_SERVICE),
  aud: z.literal(REGISTRY_SERVICE),
  /** The platform token's name. */
  sub: z.string(),
  iat: z.int(),
  exp: z.int(),
  access: z.array(z.object({ type: z.literal('repository'), name: z.string(), actions: z.array(z.enum(REPOSITORY_ACTIONS)) })),
  /** The platform token's: what it may mount blobs from. */
  scopes: z.array(z.string()),
});

/** Who has a registry token, and what for. */
export interface RegistryTokenHolder {
  name: string;
  scopes: readonly string[];
  grants: readonly Grant[];
}

/** Signs and reads the registry's own short-lived tokens: JWTs (RFC 7519) with HMAC-SHA256, which every replica with the same secret key can read. */
export class RegistryTokens {
  private readonly key: Buffer;

  /** `secretKey`: WHORL_SECRET_KEY's 32 bytes. */
  constructor(secretKey: Uint8Array) {
    this.key = Buffer.from(hkdfSync('sha256', secretKey, '', 'whorl registry tokens 1', 32));
  }

  sign({ name, scopes, grants }: RegistryTokenHolder, nowMs: number): string {
    const iat = Math.floor(nowMs / 1000);
    const claims: z.input<typeof Claims> = {
      iss: REGISTRY_SERVICE, aud: REGISTRY_SERVICE, sub: name, iat, exp: iat + REGISTRY_TOKEN_S, scopes: [...scopes],
      access: grants.map(({ name: repository, actions }) => ({ type: 'repository', name: repository, actions })),
    };
    const signed = `${HEADER}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
    return `${signed}.${this.mac(signed).toString('base64url')}`;
  }

  /** Undefined when it was not signed here; `expired` when it was, too long ago. */
  read(token: string, nowMs: number): RegistryTokenHolder | 'expired' | undefined {
    const [header, payload, signature] = token.split('.');
    if (header !== HEADER || payload === undefined || signature === undefined) return undefined;
    const [expected, given] = [this.mac(`${header}.${payload}`), Buffer.from(signature, 'base64url')];
    if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined;
    const { sub, exp, scopes, access } = Claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    return exp * 1000 <= nowMs ? 'expired' : { name: sub, scopes, grants: access };
  }

  private mac(text: string): Buffer {
    return createHmac('sha256', this.key).update(text).digest();
  }
}
