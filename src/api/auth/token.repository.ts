import { Injectable } from '@nestjs/common';
import { PrismaService } from '#platform/prisma/prisma.service.js';

export interface TokenRecord {
  name: string;
  sha256: Uint8Array;
  scopes: string[];
  expiresAt: Date | null;
}

@Injectable()
export class TokenRepository {
  constructor(private readonly prisma: PrismaService) {}

  findByHash(sha256: Buffer): Promise<TokenRecord | null> {
    return this.prisma.token.findUnique({ where: { sha256: new Uint8Array(sha256) } });
  }

  /** Stores the token of that name in the place of the one before, which ends to be valid. */
  async put(token: TokenRecord): Promise<void> {
    const sha256 = new Uint8Array(token.sha256);
    const data = { sha256, scopes: token.scopes, expiresAt: token.expiresAt };
    await this.prisma.token.upsert({ where: { name: token.name }, create: { name: token.name, ...data }, update: data });
  }
}
