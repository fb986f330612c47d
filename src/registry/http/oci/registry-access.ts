import { WhorlError } from '#contract/errors.js';
import type { TokenAuthority, TokenHolder } from '#contract/token-authority.js';
import { formatRepositoryName, type RepositoryName } from '#registry/repositories/repository-name.js';
import { allows, type RepositoryAction } from './access.js';
import type { RegistryTokens } from './registry-tokens.js';

/** Who asks without a token, where that is allowed. */
const ANONYMOUS: TokenHolder = { name: 'anonymous', scopes: ['repository:*:pull'] };

/** Who asks, and what for. */
export interface RegistryCaller extends TokenHolder {
  /** Where its rights come from: no token, one of the platform, or a registry token. */
  by: 'nothing' | 'platform' | 'registry';
  may(repository: RepositoryName, action: RepositoryAction): boolean;
}

export interface RegistryAccessParts {
  authority: TokenAuthority;
  tokens: RegistryTokens;
  anonymousPull: boolean;
}

/** Reads credentials: a registry token or one of the platform as Bearer (RFC 6750), one of the platform as the password of Basic (RFC 7617). */
export class RegistryAccess {
  constructor(private readonly parts: RegistryAccessParts) {}

  /** Throws API_TOKEN_MISSING, API_TOKEN_INVALID. */
  async callerOf(authorization: string | undefined): Promise<RegistryCaller> {
    if (authorization === undefined) return this.anonymous();
    const [, scheme, credentials] = /^(bearer|basic) +(\S+) *$/i.exec(authorization) ?? [];
    if (scheme === undefined || credentials === undefined) throw new WhorlError('API_TOKEN_INVALID', 'the Authorization header is neither `Bearer <token>` nor Basic');
    if (scheme.toLowerCase() === 'basic') return this.byPlatformToken(passwordOf(credentials));
    const read = this.parts.tokens.read(credentials, Date.now());
    if (read === 'expired') throw new WhorlError('API_TOKEN_INVALID', 'the registry token has expired');
    if (!read) return this.byPlatformToken(credentials);
    const may = (repository: RepositoryName, action: RepositoryAction): boolean =>
      read.grants.some(({ name, actions }) => name === formatRepositoryName(repository) && actions.includes(action));
    return { name: read.name, scopes: read.scopes, by: 'registry', may };
  }

  /** Throws API_TOKEN_INVALID. */
  async byPlatformToken(token: string): Promise<RegistryCaller> {
    return caller(await this.parts.authority.authenticate(token), 'platform');
  }

  private anonymous(): RegistryCaller {
    if (!this.parts.anonymousPull) throw new WhorlError('API_TOKEN_MISSING', 'authentication required: log in with a platform token as the password');
    return caller(ANONYMOUS, 'nothing');
  }
}

const caller = (holder: TokenHolder, by: RegistryCaller['by']): RegistryCaller => ({ ...holder, by, may: (repository, action) => allows(holder.scopes, repository, action) });

/** What comes after the first colon. */
function passwordOf(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}
