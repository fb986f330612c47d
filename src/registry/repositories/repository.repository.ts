import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { formatRepositoryName, type RepositoryName } from './repository-name.js';

interface FoundRepository {
  org_id: string;
  repository_id: string | null;
}

const FIND = ({ org, name }: RepositoryName): Prisma.Sql => Prisma.sql`
  SELECT o.id AS org_id, r.id AS repository_id FROM org o LEFT JOIN repository r ON r.org_id = o.id AND r.name = ${name} WHERE o.name = ${org}`;

/** The rows of repositories themselves: which there are, and who may change what belongs to them. */
@Injectable()
export class RepositoryRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(name: RepositoryName, db: Db = this.prisma): Promise<string | undefined> {
    const [found] = await db.$queryRaw<FoundRepository[]>`${FIND(name)}`;
    return found?.repository_id ?? undefined;
  }

  /** Throws REGISTRY_NAME_UNKNOWN. */
  async get(name: RepositoryName, db: Db = this.prisma): Promise<string> {
    const id = await this.find(name, db);
    if (id === undefined) throw unknown(`there is no repository ${formatRepositoryName(name)}`);
    return id;
  }

  /** Makes it when it is new. Throws REGISTRY_NAME_UNKNOWN when there is no such organisation. */
  async ensure(name: RepositoryName, db: Db = this.prisma): Promise<string> {
    const [found] = await db.$queryRaw<FoundRepository[]>`${FIND(name)}`;
    if (!found) throw unknown(`there is no organisation ${name.org}`);
    if (found.repository_id !== null) return found.repository_id;
    await db.$executeRaw`INSERT INTO repository (id, org_id, name) VALUES (${randomUUID()}::uuid, ${found.org_id}::uuid, ${name.name}) ON CONFLICT (org_id, name) DO NOTHING`;
    return this.get(name, db);
  }

  /** Nothing is taken away from the repository before the transaction ends; others add all the same. */
  async keep(db: Db, id: string): Promise<void> {
    await db.$queryRaw`SELECT 1 FROM repository WHERE id = ${id}::uuid FOR KEY SHARE`;
  }

  /** Nobody else adds or takes away before the transaction ends: to be called before looking at what may be taken away. */
  async lock(db: Db, id: string): Promise<void> {
    await db.$queryRaw`SELECT 1 FROM repository WHERE id = ${id}::uuid FOR UPDATE`;
  }

  /** Names of the repositories that have the blob. */
  async holders(digest: BlobDigest, limit: number): Promise<RepositoryName[]> {
    return this.prisma.$queryRaw<RepositoryName[]>`
      SELECT o.name AS org, r.name FROM repository_blob b JOIN repository r ON r.id = b.repository_id JOIN org o ON o.id = r.org_id
      WHERE b.digest = ${digest} ORDER BY r.id LIMIT ${limit}`;
  }
}

const unknown = (message: string): WhorlError => new WhorlError('REGISTRY_NAME_UNKNOWN', message);
