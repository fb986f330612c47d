import { Injectable } from '@nestjs/common';
import type { HeldBytes } from '#contract/storage-quota.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';

export interface StorageSample extends HeldBytes {
  at: Date;
}

interface Row {
  at: Date;
  versionsBytes: bigint;
  repositoriesBytes: bigint;
  uploadsBytes: bigint;
  totalBytes: bigint;
}

@Injectable()
export class StorageSampleRepository {
  constructor(private readonly prisma: PrismaService) {}

  async orgs(): Promise<string[]> {
    return (await this.prisma.org.findMany({ select: { name: true }, orderBy: { name: 'asc' } })).map(({ name }) => name);
  }

  async put(org: string, { versions, repositories, uploads, total }: HeldBytes): Promise<void> {
    await this.prisma.$executeRaw`
      INSERT INTO storage_sample (org_id, at, versions_bytes, repositories_bytes, uploads_bytes, total_bytes)
      SELECT id, date_trunc('second', now()), ${versions}::bigint, ${repositories}::bigint, ${uploads}::bigint, ${total}::bigint FROM org WHERE name = ${org}
      ON CONFLICT (org_id, at) DO UPDATE SET versions_bytes = EXCLUDED.versions_bytes, repositories_bytes = EXCLUDED.repositories_bytes,
        uploads_bytes = EXCLUDED.uploads_bytes, total_bytes = EXCLUDED.total_bytes`;
  }

  /** In [from, to), the oldest first. */
  async list(org: string, from: Date, to: Date): Promise<StorageSample[]> {
    const rows = await this.prisma.$queryRaw<Row[]>`
      SELECT s.at, s.versions_bytes AS "versionsBytes", s.repositories_bytes AS "repositoriesBytes", s.uploads_bytes AS "uploadsBytes", s.total_bytes AS "totalBytes"
      FROM storage_sample s JOIN org o ON o.id = s.org_id WHERE o.name = ${org} AND s.at >= ${from} AND s.at < ${to} ORDER BY s.at`;
    return rows.map((row) => ({
      at: row.at, versions: Number(row.versionsBytes), repositories: Number(row.repositoriesBytes), uploads: Number(row.uploadsBytes), total: Number(row.totalBytes),
    }));
  }

  async removeBefore(date: Date): Promise<number> {
    return (await this.prisma.storageSample.deleteMany({ where: { at: { lt: date } } })).count;
  }
}
