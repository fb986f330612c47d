import { Injectable } from '@nestjs/common';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';

export interface JoinTokenRecord {
  id: string;
  createdBy: string;
  node: string | null;
  replace: boolean;
  maxUses: number | null;
  uses: number;
  createdAt: Date;
  expiresAt: Date;
  withdrawnAt: Date | null;
}

export type NewJoinTokenRecord = Pick<JoinTokenRecord, 'id' | 'createdBy' | 'node' | 'replace' | 'maxUses' | 'expiresAt'> & { sha256: Uint8Array };

const SHOWN = { id: true, createdBy: true, node: true, replace: true, maxUses: true, uses: true, createdAt: true, expiresAt: true, withdrawnAt: true } as const;
/** So long after it ended, a token is still told apart from one that never was. */
const REMEMBERED_MS = 30 * 86_400_000;

@Injectable()
export class JoinTokenRepository {
  constructor(private readonly prisma: PrismaService) {}

  async create(token: NewJoinTokenRecord): Promise<JoinTokenRecord> {
    await this.prisma.joinToken.deleteMany({ where: { expiresAt: { lt: new Date(Date.now() - REMEMBERED_MS) } } });
    return this.prisma.joinToken.create({ data: { ...token, sha256: new Uint8Array(token.sha256) }, select: SHOWN });
  }

  findByHash(sha256: Uint8Array): Promise<JoinTokenRecord | null> {
    return this.prisma.joinToken.findUnique({ where: { sha256: new Uint8Array(sha256) }, select: SHOWN });
  }

  /** By id, those after `after`. */
  list(after: string | undefined, limit: number): Promise<JoinTokenRecord[]> {
    return this.prisma.joinToken.findMany({ where: { withdrawnAt: null, ...(after !== undefined && { id: { gt: after } }) }, orderBy: { id: 'asc' }, take: limit, select: SHOWN });
  }

  /** False when it was used as often as it may be. Of two that come at once for the last use, one gets it. */
  async use(db: Db, id: string): Promise<boolean> {
    const used = await db.$executeRaw`UPDATE join_token SET uses = uses + 1 WHERE id = ${id}::uuid AND (max_uses IS NULL OR uses < max_uses)`;
    return used > 0;
  }

  /** False when there is none that is valid. */
  async withdraw(id: string): Promise<boolean> {
    return (await this.prisma.joinToken.updateMany({ where: { id, withdrawnAt: null }, data: { withdrawnAt: new Date() } })).count > 0;
  }
}
