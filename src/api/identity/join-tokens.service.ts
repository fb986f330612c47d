import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { toJoinToken } from '#contract/node-join.js';
import type { ControlConfig } from '#platform/config.js';
import { type Page, type PageQuery, readCursor, toPage } from '#platform/http/page.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { hashToken, mintToken } from '#platform/token.js';
import { KeyringService } from './keyring.service.js';
import { JoinTokenRepository, type JoinTokenRecord } from './join-token.repository.js';
import type { JoinTokenView, MintedJoinToken, NewJoinToken } from './join-token.schema.js';

/** Tokens that let machines become nodes. */
@Injectable()
export class JoinTokensService {
  constructor(
    private readonly tokens: JoinTokenRepository,
    private readonly keyring: KeyringService,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** @param createdBy name of the token that asks */
  async create({ ttlSeconds, uses, node, replace }: NewJoinToken, createdBy: string): Promise<MintedJoinToken> {
    const secret = mintToken();
    const { signers } = await this.keyring.current();
    const expiresAt = new Date(Date.now() + ttlSeconds * 1_000);
    const made = await this.tokens.create({ id: randomUUID(), sha256: hashToken(secret), createdBy, node: node ?? null, replace, maxUses: uses ?? null, expiresAt });
    return { ...toView(made), token: toJoinToken(secret, signers.tls.id), urls: this.config.WHORL_NODES_URLS ?? [] };
  }

  /** By id; those that were withdrawn are left out. */
  async list({ limit, cursor }: PageQuery): Promise<Page<JoinTokenView>> {
    const rows = await this.tokens.list(readCursor(cursor, z.uuid()), limit + 1);
    return toPage(rows, limit, (row) => row.id, toView);
  }

  /** Nobody joins with it any more when this returns. Throws API_JOIN_TOKEN_NOT_FOUND. */
  async withdraw(id: string): Promise<void> {
    if (!(await this.tokens.withdraw(id))) throw new WhorlError('API_JOIN_TOKEN_NOT_FOUND', `there is no join token ${id}`);
  }

  /**
   * The join token with this secret, if it lets a node of this name join; undefined when it is none of ours. Throws
   * API_JOIN_TOKEN_WITHDRAWN, API_JOIN_TOKEN_EXPIRED, API_JOIN_TOKEN_USED_UP, API_JOIN_TOKEN_NODE.
   */
  async check(secret: string, node: string): Promise<JoinTokenRecord | undefined> {
    const token = await this.tokens.findByHash(hashToken(secret));
    if (!token) return undefined;
    const { withdrawnAt, expiresAt } = token;
    if (withdrawnAt) throw new WhorlError('API_JOIN_TOKEN_WITHDRAWN', `the join token was withdrawn at ${withdrawnAt.toISOString()}`);
    if (expiresAt.getTime() <= Date.now()) throw new WhorlError('API_JOIN_TOKEN_EXPIRED', `the join token expired at ${expiresAt.toISOString()}`);
    if (isUsedUp(token)) throw usedUp(token);
    if (token.node !== null && token.node !== node) throw new WhorlError('API_JOIN_TOKEN_NODE', `the join token is for the node ${token.node}, not for ${node}`);
    return token;
  }

  /** Counts a use. Throws API_JOIN_TOKEN_USED_UP when another came first. */
  async use(db: Db, token: JoinTokenRecord): Promise<void> {
    if (!(await this.tokens.use(db, token.id))) throw usedUp(token);
  }
}

const isUsedUp = ({ uses, maxUses }: JoinTokenRecord): boolean => maxUses !== null && uses >= maxUses;

function usedUp({ maxUses }: JoinTokenRecord): WhorlError {
  return new WhorlError('API_JOIN_TOKEN_USED_UP', `the join token was good for ${maxUses === 1 ? 'one node' : `${String(maxUses)} nodes`}, which have joined`);
}

function toView(token: JoinTokenRecord): JoinTokenView {
  const { id, createdBy, createdAt, expiresAt, uses, maxUses, node, replace } = token;
  const state = expiresAt.getTime() <= Date.now() ? 'expired' : isUsedUp(token) ? 'used-up' : 'valid';
  return { id, createdBy, createdAt: createdAt.toISOString(), expiresAt: expiresAt.toISOString(), state, uses, maxUses, node, replace };
}
