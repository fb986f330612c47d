import { timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { ControlConfig } from '#platform/config.js';
import type { Principal } from '#platform/http/api-request.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { hashToken, isPlausibleToken } from '#platform/token.js';
import { TokenRepository } from './token.repository.js';

/** Names of the tokens that the configuration gives, and the variables that hold them. */
export const CONFIGURED_TOKENS: ReadonlyMap<string, 'WHORL_ADMIN_TOKEN' | 'WHORL_NODE_TOKEN'> = new Map([
  ['admin', 'WHORL_ADMIN_TOKEN'],
  ['node', 'WHORL_NODE_TOKEN'],
]);

@Injectable()
export class AuthService {
  constructor(
    private readonly tokens: TokenRepository,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** Registers the tokens of the configuration, each named for its scope and in the place of the one it had before. Called once, at start. */
  async registerConfigured(): Promise<void> {
    for (const [name, variable] of CONFIGURED_TOKENS) {
      const token = this.config[variable];
      if (token !== undefined) await this.tokens.put({ name, sha256: hashToken(token), scopes: [name], expiresAt: null });
    }
  }

  /** Whose token it is. Throws API_TOKEN_INVALID. */
  async authenticate(token: string): Promise<Principal> {
    const sha256 = hashToken(token);
    const found = await this.tokens.findByHash(sha256);
    if (!found || !timingSafeEqual(found.sha256, sha256)) {
      throw new WhorlError('API_TOKEN_INVALID', isPlausibleToken(token) ? 'the token is not known here' : 'the token was cut or mistyped: its checksum is wrong');
    }
    if (found.expiresAt && found.expiresAt.getTime() <= Date.now()) throw new WhorlError('API_TOKEN_INVALID', `the token expired at ${found.expiresAt.toISOString()}`);
    return { name: found.name, scopes: found.scopes };
  }
}
