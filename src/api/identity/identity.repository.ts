import { Injectable } from '@nestjs/common';
import type { DeniedNode, KeyHash } from '#contract/node-identity.js';
import { type Db, notify, PrismaService } from '#platform/prisma/prisma.service.js';
import { TRUST_TOPIC } from '../topics.js';

export interface IdentityRecord {
  node: string;
  key: string;
  joinToken: string | null;
  joinedAt: Date;
  authority: string;
  expiresAt: Date;
  trustRevision: string | null;
  trustSeenAt: Date | null;
  statementKeys: string[];
  removedAt: Date | null;
}

export type NewIdentity = Pick<IdentityRecord, 'node' | 'key' | 'joinToken' | 'expiresAt'>;

@Injectable()
export class IdentityRepository {
  constructor(private readonly prisma: PrismaService) {}

  find(node: string, db: Db = this.prisma): Promise<IdentityRecord | null> {
    return db.nodeIdentity.findUnique({ where: { node } });
  }

  /** Also of one that was removed. */
  findByKey(key: KeyHash, db: Db = this.prisma): Promise<IdentityRecord | null> {
    return db.nodeIdentity.findUnique({ where: { key } });
  }

  /** Those that were not removed. */
  list(): Promise<IdentityRecord[]> {
    return this.prisma.nodeIdentity.findMany({ where: { removedAt: null }, orderBy: { node: 'asc' } });
  }

  /** In one transaction that excludes others about the same name. */
  exclusively<T>(node: string, work: (db: Db) => Promise<T>): Promise<T> {
    return this.prisma.transaction(async (db) => {
      await db.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`node-identity/${node}`}, 0))`;
      return work(db);
    });
  }

  /** Gives the name to the key. */
  async put(db: Db, identity: NewIdentity): Promise<void> {
    const { node, ...given } = identity;
    const joined = { ...given, authority: '', joinedAt: new Date(), removedAt: null, trustRevision: null, trustSeenAt: null, statementKeys: [] };
    await db.nodeIdentity.upsert({ where: { node }, create: { node, ...joined }, update: joined });
  }

  /** Notes the newest certificate of the key that has the name. */
  async certified(node: string, authority: string, expiresAt: Date): Promise<void> {
    await this.prisma.nodeIdentity.updateMany({ where: { node, removedAt: null }, data: { authority, expiresAt } });
  }

  /** Notes that the node has asked for the next bundle, and what it has. */
  async seen(node: string, trustRevision: string | null, statementKeys: string[]): Promise<void> {
    await this.prisma.nodeIdentity.updateMany({ where: { node, removedAt: null }, data: { trustRevision, statementKeys, trustSeenAt: new Date() } });
  }

  /** Takes the name from its key. */
  async remove(db: Db, node: string): Promise<void> {
    await db.nodeIdentity.update({ where: { node }, data: { removedAt: new Date() } });
  }

  /** Gives the name back to the key that had it, and takes the key from those that count for nothing. */
  async readmit(db: Db, { node, key }: Pick<IdentityRecord, 'node' | 'key'>): Promise<void> {
    await db.nodeIdentity.update({ where: { node }, data: { removedAt: null } });
    await db.deniedKey.deleteMany({ where: { key } });
    await notify(db, TRUST_TOPIC);
  }

  /** From now on certificates of this key count for nothing: nodes are told until none is valid any more. */
  async deny(db: Db, { node, key }: Pick<IdentityRecord, 'node' | 'key'>, expiresAt: Date): Promise<void> {
    await db.deniedKey.upsert({ where: { key }, create: { key, node, expiresAt }, update: { expiresAt } });
    await notify(db, TRUST_TOPIC);
  }

  async isDenied(key: KeyHash): Promise<boolean> {
    return (await this.prisma.deniedKey.count({ where: { key } })) > 0;
  }

  /** Keys that still have a valid certificate, by name. */
  async denied(): Promise<DeniedNode[]> {
    const rows = await this.prisma.deniedKey.findMany({ where: { expiresAt: { gt: new Date() } }, orderBy: { key: 'asc' } });
    return rows.map(({ node, key }) => ({ node, key }) as DeniedNode);
  }
}
