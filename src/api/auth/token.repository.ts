import { Injectable } from '@nestjs/common';
import { PrismaService } from '#platform/prisma/prisma.service.js';

export interface TokenRecord {
  name: string;
  sha256: Uint8Array;
  scopes: string[];
  expiresAt: Date | null;
}

export interface StoredToken extends TokenRecord {
  createdAt: Date;
}

@Injectable()
export class TokenRepository {
  constructor(private readonly prisma: PrismaService) {}

  findByHash(sha256: Buffer): Promise<TokenRecord | null> {
    return this.prisma.token.findUnique({ where: { sha256: new Uint8Array(sha256) } });
  }

  /** undefined when there is one of that name. */
  async create(token: TokenRecord): Promise<StoredToken | undefined> {
    const { name, scopes, expiresAt } = token;
    const [made] = await this.prisma.token.createManyAndReturn({ data: [{ name, sha256: new Uint8Array(token.sha256), scopes, expiresAt }], skipDuplicates: true });
    return made;
  }

  /** By name, those after `after`. */
  list(after: string | undefined, limit: number): Promise<StoredToken[]> {
    return this.prisma.token.findMany({ ...(after !== undefined && { where: { name: { gt: after } } }), orderBy: { name: 'asc' }, take: limit });
  }

  /** False when there is none. */
  async delete(name: string): Promise<boolean> {
    return (await this.prisma.token.deleteMany({ where: { name } })).count > 0;
  }

  /** Stores the token of that name in the place of the one before, which ends to be valid. */
  async put(token: TokenRecord): Promise<void> {
    const sha256 = new Uint8Array(token.sha256);
    const data = { sha256, scopes: token.scopes, expiresAt: token.expiresAt };
    await this.prisma.token.upsert({ where: { name: token.name }, create: { name: token.name, ...data }, update: data });
  }
}
