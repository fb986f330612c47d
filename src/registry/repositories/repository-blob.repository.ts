import { Injectable } from '@nestjs/common';
import type { BlobDigest } from '#contract/ids.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';

/** Which blobs a repository may be asked for. The bytes are in the store, once for all. */
@Injectable()
export class RepositoryBlobRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Whether the repository has it; `used`: someone may be about to push a manifest that names it, which is noted to the hour. */
  async has(repository: string, digest: BlobDigest, used: boolean): Promise<boolean> {
    const rows = await this.prisma.$queryRaw<{ stale: boolean }[]>`
      SELECT used_at < now() - interval '1 hour' AS stale FROM repository_blob WHERE repository_id = ${repository}::uuid AND digest = ${digest}`;
    if (!rows[0]) return false;
    if (!used || !rows[0].stale) return true;
    // The collector may have taken it in between.
    return (await this.prisma.$executeRaw`UPDATE repository_blob SET used_at = now() WHERE repository_id = ${repository}::uuid AND digest = ${digest}`) > 0;
  }

  /** The repository may be asked for the blob from now on. */
  async link(repository: string, { digest, bytes }: { digest: BlobDigest; bytes: number }, db: Db = this.prisma): Promise<void> {
    await db.$executeRaw`
      INSERT INTO repository_blob (repository_id, digest, bytes) VALUES (${repository}::uuid, ${digest}, ${bytes})
      ON CONFLICT (repository_id, digest) DO UPDATE SET used_at = now() WHERE repository_blob.used_at < now() - interval '1 hour'`;
  }

  async unlink(db: Db, repository: string, digest: BlobDigest): Promise<boolean> {
    return (await db.$executeRaw`DELETE FROM repository_blob WHERE repository_id = ${repository}::uuid AND digest = ${digest}`) > 0;
  }
}
