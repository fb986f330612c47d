import { Injectable } from '@nestjs/common';
import type { BlobDigest } from '#contract/ids.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { Manifest } from './manifest.js';
import type { Tag } from './reference.js';

export interface ManifestStat {
  digest: BlobDigest;
  mediaType: string;
  bytes: number;
}

/** A manifest that has another one as its subject: a descriptor of it (distribution-spec, listing referrers). */
export interface ReferrerStat extends ManifestStat {
  artifactType?: string;
  annotations?: Record<string, string>;
}

interface ManifestRow {
  digest: BlobDigest;
  media_type: string;
  artifact_type: string | null;
  bytes: bigint;
  annotations: Record<string, string> | null;
}

/** Manifests of a repository, the tags that lead to them, and what they name. */
@Injectable()
export class ManifestRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(repository: string, reference: { tag: Tag } | { digest: BlobDigest }): Promise<ManifestStat | undefined> {
    const [row] = 'tag' in reference
      ? await this.prisma.$queryRaw<ManifestRow[]>`
          SELECT m.* FROM repository_tag t JOIN repository_manifest m ON m.repository_id = t.repository_id AND m.digest = t.manifest_digest
          WHERE t.repository_id = ${repository}::uuid AND t.name = ${reference.tag}`
      : await this.prisma.$queryRaw<ManifestRow[]>`SELECT * FROM repository_manifest WHERE repository_id = ${repository}::uuid AND digest = ${reference.digest}`;
    return row && toStat(row);
  }

  /** Those of the digests that the repository does not have; an index may also name what was pushed as a blob. */
  async missing(db: Db, repository: string, digests: { blobs: BlobDigest[]; manifests: BlobDigest[] }): Promise<BlobDigest[]> {
    const rows = await db.$queryRaw<{ digest: BlobDigest }[]>`
      SELECT d.digest FROM unnest(${digests.blobs}::text[]) AS d(digest)
        WHERE NOT EXISTS (SELECT 1 FROM repository_blob b WHERE b.repository_id = ${repository}::uuid AND b.digest = d.digest)
      UNION
      SELECT d.digest FROM unnest(${digests.manifests}::text[]) AS d(digest)
        WHERE NOT EXISTS (SELECT 1 FROM repository_manifest m WHERE m.repository_id = ${repository}::uuid AND m.digest = d.digest)
          AND NOT EXISTS (SELECT 1 FROM repository_blob b WHERE b.repository_id = ${repository}::uuid AND b.digest = d.digest)`;
    return rows.map(({ digest }) => digest);
  }

  /** Makes the manifest's rows; one with the digest may be there, whose type is then what the last push said. */
  async put(db: Db, repository: string, { digest, bytes }: { digest: BlobDigest; bytes: number }, manifest: Manifest): Promise<void> {
    const annotations = manifest.annotations ? JSON.stringify(manifest.annotations) : null;
    await db.$executeRaw`
      INSERT INTO repository_manifest (repository_id, digest, media_type, artifact_type, bytes, subject, annotations)
      VALUES (${repository}::uuid, ${digest}, ${manifest.mediaType}, ${manifest.artifactType ?? null}, ${bytes}, ${manifest.subject ?? null}, ${annotations}::json)
      ON CONFLICT (repository_id, digest) DO UPDATE SET media_type = EXCLUDED.media_type, artifact_type = EXCLUDED.artifact_type
      WHERE repository_manifest.media_type <> EXCLUDED.media_type`;
    if (manifest.names.length === 0) return;
    await db.$executeRaw`
      INSERT INTO repository_manifest_blob (repository_id, manifest_digest, digest, kind)
      SELECT ${repository}::uuid, ${digest}, n.digest, n.kind
      FROM unnest(${manifest.names.map((each) => each.digest)}::text[], ${manifest.names.map((each) => each.kind)}::text[]) AS n(digest, kind)
      ON CONFLICT DO NOTHING`;
  }

  /** Lets the tags lead to the manifest, all at once. */
  async tag(db: Db, repository: string, tags: readonly Tag[], { digest, pushedBy }: { digest: BlobDigest; pushedBy: string | undefined }): Promise<void> {
    if (tags.length === 0) return;
    // In one order, so that two pushes of several tags never wait for each other in a ring.
    await db.$executeRaw`
      INSERT INTO repository_tag (repository_id, name, manifest_digest, pushed_by)
      SELECT ${repository}::uuid, t.name, ${digest}, ${pushedBy ?? null} FROM unnest(${tags}::text[]) AS t(name) GROUP BY t.name ORDER BY t.name
      ON CONFLICT (repository_id, name) DO UPDATE SET manifest_digest = EXCLUDED.manifest_digest, pushed_by = EXCLUDED.pushed_by, updated_at = now()`;
  }

  /** Whether a manifest of the repository, other than an attachment's subject, names the digest. */
  async isNamed(db: Db, repository: string, digest: BlobDigest): Promise<boolean> {
    const rows = await db.$queryRaw<unknown[]>`SELECT 1 FROM repository_manifest_blob WHERE repository_id = ${repository}::uuid AND digest = ${digest} LIMIT 1`;
    return rows.length > 0;
  }

  /** With its tags. False when it is not there. */
  async delete(db: Db, repository: string, digest: BlobDigest): Promise<boolean> {
    return (await db.$executeRaw`DELETE FROM repository_manifest WHERE repository_id = ${repository}::uuid AND digest = ${digest}`) > 0;
  }

  async deleteTag(repository: string, tag: Tag): Promise<boolean> {
    return (await this.prisma.$executeRaw`DELETE FROM repository_tag WHERE repository_id = ${repository}::uuid AND name = ${tag}`) > 0;
  }

  /** Tags after one (`''`: from the first), in the order of bytes. */
  async tags(repository: string, after: string, limit: number): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ name: string }[]>`
      SELECT name FROM repository_tag WHERE repository_id = ${repository}::uuid AND name > ${after} COLLATE "C" ORDER BY name LIMIT ${limit}`;
    return rows.map(({ name }) => name);
  }

  /** Manifests whose subject is the digest, after one in the order of digests; as many as have `maxBytes` of annotations together, but at least one. */
  async referrers(repository: string, subject: BlobDigest, page: { artifactType: string | undefined; after: string; limit: number; maxBytes: number }): Promise<ReferrerStat[]> {
    const rows = await this.prisma.$queryRaw<ManifestRow[]>`
      SELECT digest, media_type, artifact_type, bytes, annotations FROM (
        SELECT m.*, sum(octet_length(m.annotations::text)) OVER before AS before_bytes FROM repository_manifest m
        WHERE m.repository_id = ${repository}::uuid AND m.subject = ${subject} AND m.digest > ${page.after}
          AND (${page.artifactType ?? null}::text IS NULL OR m.artifact_type = ${page.artifactType ?? null})
        WINDOW before AS (ORDER BY m.digest ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) sized
      WHERE COALESCE(before_bytes, 0) - COALESCE(octet_length(annotations::text), 0) <= ${page.maxBytes}
      ORDER BY digest LIMIT ${page.limit}`;
    return rows.map((row) => ({
      ...toStat(row),
      ...(row.artifact_type !== null && { artifactType: row.artifact_type }),
      ...(row.annotations !== null && { annotations: row.annotations }),
    }));
  }
}

const toStat = (row: ManifestRow): ManifestStat => ({ digest: row.digest, mediaType: row.media_type, bytes: Number(row.bytes) });
