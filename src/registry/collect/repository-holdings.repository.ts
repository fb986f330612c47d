import { Injectable } from '@nestjs/common';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';

/** A manifest that may go, with all that it names. */
export interface LooseManifest {
  repositoryId: string;
  digest: string;
  named: string[];
}

export interface LoosePolicy {
  /** Younger ones stay. */
  untaggedMs: number;
  /** Those stay as well, with what belongs to them. */
  images: readonly string[];
}

/** What begins with these hex digits, as a range of both algorithms: an index on the digests serves it. */
const inShard = (prefix: string): Prisma.Sql => Prisma.sql`(
  (digest >= ${`sha256:${prefix}`} AND digest < ${`sha256:${prefix}g`}) OR (digest >= ${`sha512:${prefix}`} AND digest < ${`sha512:${prefix}g`}))`;

const ago = (ms: number): Prisma.Sql => Prisma.sql`now() - ${ms}::float8 * interval '1 millisecond'`;

/** What repositories hold, for the collector. Times are those of the database. */
@Injectable()
export class RepositoryHoldingsRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** What tells this database from every other one. */
  async platform(): Promise<string> {
    const [row] = await this.prisma.$queryRaw<{ id: string }[]>`SELECT id FROM platform`;
    return row!.id;
  }

  async repositories(): Promise<string[]> {
    return (await this.prisma.$queryRaw<{ id: string }[]>`SELECT id FROM repository ORDER BY id`).map(({ id }) => id);
  }

  /**
   * Manifests of a repository that no tag leads to and that are old enough, unless one that stays names them (an index its images) or they
   * say something about one that stays (a signature).
   */
  async loose(repositoryId: string, { untaggedMs, images }: LoosePolicy, db: Db = this.prisma): Promise<LooseManifest[]> {
    return db.$queryRaw<LooseManifest[]>`
      WITH RECURSIVE kept (digest) AS (
        SELECT m.digest FROM repository_manifest m WHERE m.repository_id = ${repositoryId}::uuid AND (
          m.created_at > ${ago(untaggedMs)} OR m.digest = ANY(${[...images]}::text[])
          OR EXISTS (SELECT FROM repository_tag t WHERE t.repository_id = m.repository_id AND t.manifest_digest = m.digest))
        UNION
        SELECT next.digest FROM kept k CROSS JOIN LATERAL (
          SELECT n.digest FROM repository_manifest_blob n WHERE n.repository_id = ${repositoryId}::uuid AND n.manifest_digest = k.digest AND n.kind = 'manifest'
          UNION ALL
          SELECT s.digest FROM repository_manifest s WHERE s.repository_id = ${repositoryId}::uuid AND s.subject = k.digest) next
      )
      SELECT m.repository_id AS "repositoryId", m.digest,
        ARRAY(SELECT n.digest FROM repository_manifest_blob n WHERE n.repository_id = m.repository_id AND n.manifest_digest = m.digest) AS named
      FROM repository_manifest m WHERE m.repository_id = ${repositoryId}::uuid AND m.digest NOT IN (SELECT digest FROM kept)`;
  }

  /** Removes what `loose` finds; nobody adds to the repository meanwhile. */
  async removeLoose(repositoryId: string, policy: LoosePolicy): Promise<LooseManifest[]> {
    return this.prisma.transaction(async (db) => {
      await db.$queryRaw`SELECT 1 FROM repository WHERE id = ${repositoryId}::uuid FOR UPDATE`;
      const loose = await this.loose(repositoryId, policy, db);
      await db.$executeRaw`DELETE FROM repository_manifest WHERE repository_id = ${repositoryId}::uuid AND digest = ANY(${loose.map(({ digest }) => digest)}::text[])`;
      return loose;
    });
  }

  /** Digests that begin with these hex digits and that repositories hold: manifests, what they name, and blobs that were pushed or looked for a moment ago. */
  async held(prefix: string, except: readonly LooseManifest[], graceMs: number): Promise<Set<string>> {
    const loose = Prisma.sql`(SELECT * FROM unnest(${except.map((each) => each.repositoryId)}::uuid[], ${except.map(({ digest }) => digest)}::text[]))`;
    const rows = await this.prisma.$queryRaw<{ digest: string }[]>`
      SELECT digest FROM repository_manifest WHERE ${inShard(prefix)} AND (repository_id, digest) NOT IN ${loose}
      UNION SELECT digest FROM repository_manifest_blob WHERE ${inShard(prefix)} AND (repository_id, manifest_digest) NOT IN ${loose}
      UNION SELECT digest FROM repository_blob WHERE ${inShard(prefix)} AND used_at > ${ago(graceMs)}`;
    return new Set(rows.map(({ digest }) => digest));
  }

  /** Repositories do not have these blobs any more, since the store has not. */
  async unlink(digests: readonly string[]): Promise<void> {
    await this.prisma.$executeRaw`DELETE FROM repository_blob WHERE digest = ANY(${[...digests]}::text[])`;
  }

  /** Repositories do not have old blobs any more that none of their manifests names, whoever else has them. */
  async unlinkLoose(repositoryId: string, graceMs: number): Promise<void> {
    await this.prisma.transaction(async (db) => {
      await db.$queryRaw`SELECT 1 FROM repository WHERE id = ${repositoryId}::uuid FOR UPDATE`;
      await db.$executeRaw`
        DELETE FROM repository_blob b WHERE b.repository_id = ${repositoryId}::uuid AND b.used_at < ${ago(graceMs)}
          AND NOT EXISTS (SELECT FROM repository_manifest_blob n WHERE n.repository_id = b.repository_id AND n.digest = b.digest)`;
    });
  }

  /** Ids of uploads that somebody may go on with. */
  async liveUploads(graceMs: number): Promise<Set<string>> {
    const rows = await this.prisma.$queryRaw<{ id: string }[]>`SELECT id FROM repository_upload WHERE used_at > ${ago(graceMs)}`;
    return new Set(rows.map(({ id }) => id));
  }

  async removeOldUploads(graceMs: number): Promise<void> {
    await this.prisma.$executeRaw`DELETE FROM repository_upload WHERE used_at < ${ago(graceMs)}`;
  }
}
