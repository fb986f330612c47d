import { Injectable } from '@nestjs/common';
import type { HeldBytes } from '#contract/storage-quota.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';

type Sums = Record<keyof HeldBytes, bigint | null>;

/** What organisations have in the store, from the rows that say so. */
@Injectable()
export class HeldBytesRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** What was pushed for versions that are not given up, what repositories have, and what of uploads under way is there: whole files, and blobs by OCI as far as they have come. */
  async of(org: string): Promise<HeldBytes> {
    const [sums] = await this.prisma.$queryRaw<Sums[]>`
      WITH held AS (
        SELECT 'versions' AS by, b.digest, b.bytes FROM version_blob b JOIN version v ON v.app_id = b.app_id AND v.number = b.number
        JOIN app a ON a.id = b.app_id JOIN org o ON o.id = a.org_id WHERE o.name = ${org} AND b.engine = '' AND v.collected_at IS NULL
        UNION ALL
        SELECT 'repositories', e.digest, e.bytes FROM (
          SELECT repository_id, digest, bytes FROM repository_blob UNION ALL SELECT repository_id, digest, bytes FROM repository_manifest) e
        JOIN repository r ON r.id = e.repository_id JOIN org o ON o.id = r.org_id WHERE o.name = ${org}
        UNION ALL
        SELECT 'uploads', f.digest, f.bytes FROM upload_file f JOIN upload u ON u.id = f.upload_id JOIN org o ON o.id = u.org_id
        WHERE o.name = ${org} AND f.complete AND u.expires_at > now()
        UNION ALL
        SELECT 'uploads', u.id::text, u.bytes FROM repository_upload u JOIN repository r ON r.id = u.repository_id JOIN org o ON o.id = r.org_id WHERE o.name = ${org}
      ), once AS (SELECT by, digest, max(bytes) AS bytes FROM held GROUP BY by, digest)
      SELECT sum(bytes) FILTER (WHERE by = 'versions')::bigint AS versions, sum(bytes) FILTER (WHERE by = 'repositories')::bigint AS repositories,
        sum(bytes) FILTER (WHERE by = 'uploads')::bigint AS uploads, (SELECT sum(bytes)::bigint FROM (SELECT max(bytes) AS bytes FROM once GROUP BY digest) each) AS total
      FROM once`;
    const of = (key: keyof HeldBytes): number => Number(sums?.[key] ?? 0);
    return { versions: of('versions'), repositories: of('repositories'), uploads: of('uploads'), total: of('total') };
  }
}
