import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import type { RepositoryName } from './repository-name.js';

/** Uploads that are under way: to which repository each belongs. Their bytes are in the store under the same id. */
@Injectable()
export class UploadRepository {
  constructor(private readonly prisma: PrismaService) {}

  async create(repository: string): Promise<string> {
    const id = randomUUID();
    await this.prisma.$executeRaw`INSERT INTO repository_upload (id, repository_id) VALUES (${id}::uuid, ${repository}::uuid)`;
    return id;
  }

  /** Notes that it is used. Answers the repository's id; undefined when that has no such upload, or is not there. */
  async use({ org, name }: RepositoryName, id: string): Promise<string | undefined> {
    const [used] = await this.prisma.$queryRaw<{ repository_id: string }[]>`
      UPDATE repository_upload u SET used_at = now() FROM repository r JOIN org o ON o.id = r.org_id
      WHERE u.id = ${id}::uuid AND r.id = u.repository_id AND r.name = ${name} AND o.name = ${org} RETURNING u.repository_id`;
    return used?.repository_id;
  }

  /** Notes how many bytes there are now: they count for the organisation's quota. */
  async setBytes(id: string, bytes: number): Promise<void> {
    await this.prisma.$executeRaw`UPDATE repository_upload SET bytes = ${bytes} WHERE id = ${id}::uuid`;
  }

  async delete(id: string): Promise<void> {
    await this.prisma.$executeRaw`DELETE FROM repository_upload WHERE id = ${id}::uuid`;
  }
}
