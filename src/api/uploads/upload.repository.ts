import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { BlobBytes, UploadedFile } from '#contract/file-uploads.js';
import { DEFAULT_ORG, Digest } from '#contract/ids.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';

export interface UploadRecord {
  id: string;
  app: string;
  manifest: string;
  files: UploadedFile[];
  expiresAt: Date;
}

export type NewUpload = Pick<UploadRecord, 'app' | 'manifest' | 'files'> & { createdBy: string; lifeMs: number };

const ORG_ID = Prisma.sql`(SELECT id FROM org WHERE name = ${DEFAULT_ORG})`;

@Injectable()
export class UploadRepository {
  constructor(private readonly prisma: PrismaService) {}

  async create({ app, manifest, files, createdBy, lifeMs }: NewUpload): Promise<UploadRecord> {
    const id = randomUUID();
    const blobs = eachOnce(files);
    const columns = Prisma.sql`unnest(${blobs.map(({ digest }) => digest)}::text[], ${blobs.map(({ bytes }) => bytes)}::bigint[])`;
    return this.prisma.transaction(async (db) => {
      const [row] = await db.$queryRaw<{ expiresAt: Date }[]>`
        INSERT INTO upload (id, org_id, app, manifest, files, created_by, expires_at)
        VALUES (${id}::uuid, ${ORG_ID}, ${app}, ${manifest}, ${JSON.stringify(files)}::json, ${createdBy}, now() + ${lifeMs}::float8 * interval '1 millisecond')
        RETURNING expires_at AS "expiresAt"`;
      await db.$executeRaw`INSERT INTO upload_file (upload_id, digest, bytes) SELECT ${id}::uuid, b.* FROM ${columns} AS b`;
      return { id, app, manifest, files, expiresAt: row!.expiresAt };
    });
  }

  /** undefined when there is none, or no longer. */
  async find(app: string, id: string): Promise<UploadRecord | undefined> {
    const [row] = await this.prisma.$queryRaw<UploadRecord[]>`
      SELECT id, app, manifest, files, expires_at AS "expiresAt" FROM upload WHERE id = ${id}::uuid AND app = ${app} AND org_id = ${ORG_ID} AND expires_at > now()`;
    return row;
  }

  /** One file of an upload, without all the others; `upload` is false when there is none, or no longer. */
  async findFile(app: string, id: string, digest: Digest): Promise<{ upload: boolean; file?: BlobBytes & { complete: boolean } }> {
    const [row] = await this.prisma.$queryRaw<{ bytes: bigint | null; complete: boolean }[]>`
      SELECT f.bytes, f.complete FROM upload u LEFT JOIN upload_file f ON f.upload_id = u.id AND f.digest = ${digest}
      WHERE u.id = ${id}::uuid AND u.app = ${app} AND u.org_id = ${ORG_ID} AND u.expires_at > now()`;
    if (!row || row.bytes === null) return { upload: row !== undefined };
    return { upload: true, file: { digest, bytes: Number(row.bytes), complete: row.complete } };
  }

  /** A file has come whole. */
  async completeFile(id: string, digest: Digest): Promise<void> {
    await this.prisma.uploadFile.updateMany({ where: { uploadId: id, digest }, data: { complete: true } });
  }

  /** False when there was none. */
  async remove(id: string): Promise<boolean> {
    return this.prisma.transaction(async (db) => {
      await db.uploadFile.deleteMany({ where: { uploadId: id } });
      return (await db.upload.deleteMany({ where: { id } })).count > 0;
    });
  }

  async removeExpired(): Promise<number> {
    await this.prisma.$executeRaw`DELETE FROM upload_file f USING upload u WHERE u.id = f.upload_id AND u.expires_at <= now()`;
    return this.prisma.$executeRaw`DELETE FROM upload WHERE expires_at <= now()`;
  }

  async liveIds(): Promise<string[]> {
    return (await this.prisma.$queryRaw<{ id: string }[]>`SELECT id FROM upload WHERE expires_at > now()`).map(({ id }) => id);
  }
}

/** Each digest once. */
export function eachOnce(files: readonly BlobBytes[]): BlobBytes[] {
  return [...new Map(files.map(({ digest, bytes }) => [digest, { digest, bytes }])).values()];
}
