import { Injectable } from '@nestjs/common';
import type { KeyHash } from '#contract/node-identity.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { AuthorityKind, AuthorityRecord, NewAuthority } from './authority.js';
import type { AuthorityChange } from './rotation.js';

/** Advisory lock of whoever makes or moves keys; one at a time. */
const LOCK_KEY = 7_741_230_016;

@Injectable()
export class AuthorityRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** In one transaction that excludes others of its kind. */
  exclusively<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.prisma.transaction(async (db) => {
      await db.$executeRaw`SELECT pg_advisory_xact_lock(${LOCK_KEY})`;
      return work(db);
    });
  }

  /** Those that are not gone, the oldest first. */
  async list(db: Db = this.prisma): Promise<AuthorityRecord[]> {
    const rows = await db.authority.findMany({ where: { state: { not: 'gone' } }, orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
    return rows as (typeof rows[number] & Pick<AuthorityRecord, 'id' | 'kind' | 'state'>)[];
  }

  async create(db: Db, { privateKey: _unsealed, publicKey, ...authority }: NewAuthority, sealedKey: string, state: 'trusted' | 'signing'): Promise<void> {
    await db.authority.create({ data: { ...authority, publicKey: new Uint8Array(publicKey), sealedKey, state } });
  }

  /** One that does not sign any more never will: its private half is forgotten. */
  async change(db: Db, { id, state }: AuthorityChange): Promise<void> {
    await db.authority.update({ where: { id }, data: { state, changedAt: new Date(), ...(state !== 'signing' && { sealedKey: null }) } });
  }

  /** Notes that a CA has signed a certificate that ends then. */
  async signed(id: KeyHash, expiresAt: Date): Promise<void> {
    await this.prisma.$executeRaw`UPDATE authority SET last_expiry = GREATEST(last_expiry, ${expiresAt}) WHERE id = ${id}`;
  }

  async hasKind(db: Db, kind: AuthorityKind): Promise<boolean> {
    return (await db.authority.count({ where: { kind, state: 'signing' } })) > 0;
  }
}
