import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { type Page, type PageQuery, readCursor, toPage } from '#platform/http/page.js';
import { hashToken, mintToken } from '#platform/token.js';
import { CONFIGURED_TOKENS } from './auth.service.js';
import { type StoredToken, TokenRepository } from './token.repository.js';
import type { MintedToken, NewToken, TokenView } from './token.schema.js';

/** Tokens that people make; those of the configuration are listed and not touched. */
@Injectable()
export class TokensService {
  constructor(private readonly tokens: TokenRepository) {}

  /** Makes a token. Throws API_TOKEN_EXISTS, API_TOKEN_CONFIGURED, and API_INPUT_INVALID for a time that is over. */
  async create({ name, scopes, expiresAt }: NewToken): Promise<MintedToken> {
    refuseConfigured(name);
    const ends = expiresAt === undefined ? null : new Date(expiresAt);
    if (ends && ends.getTime() <= Date.now()) throw new WhorlError('API_INPUT_INVALID', 'expiresAt: is over', { fields: { expiresAt: ['is over'] } });
    const token = mintToken();
    const made = await this.tokens.create({ name, sha256: hashToken(token), scopes: [...new Set(scopes)], expiresAt: ends });
    if (!made) throw new WhorlError('API_TOKEN_EXISTS', `there is a token named "${name}"`);
    return { ...toView(made), token };
  }

  /** By name. */
  async list({ limit, cursor }: PageQuery): Promise<Page<TokenView>> {
    const rows = await this.tokens.list(readCursor(cursor, z.string()), limit + 1);
    return toPage(rows, limit, (row) => row.name, toView);
  }

  /** Withdraws a token: it is not valid any more when this returns. Throws API_TOKEN_NOT_FOUND, API_TOKEN_CONFIGURED. */
  async remove(name: string): Promise<void> {
    refuseConfigured(name);
    if (!(await this.tokens.delete(name))) throw new WhorlError('API_TOKEN_NOT_FOUND', `there is no token named "${name}"`);
  }
}

function refuseConfigured(name: string): void {
  const variable = CONFIGURED_TOKENS.get(name);
  if (variable !== undefined) throw new WhorlError('API_TOKEN_CONFIGURED', `the token "${name}" is that of ${variable}`);
}

function toView({ name, scopes, createdAt, expiresAt }: StoredToken): TokenView {
  return { name, scopes, createdAt: createdAt.toISOString(), expiresAt: expiresAt?.toISOString() ?? null, configured: CONFIGURED_TOKENS.has(name) };
}
