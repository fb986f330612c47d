import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PrismaService } from '#platform/prisma/prisma.service.js';

/** Uploads that are under way: to which repository each belongs. Their bytes are in the store under the same id. */
@Injectable()
export class UploadRepository {
  constructor(private readonly prisma: PrismaService) {}

  async create(repository: string): Promise<string> {
    const id = randomUUID();
    await this.prisma.$executeRaw`INSERT INTO repository_upload (id, repository_id) VALUES (${id}::uuid, ${repository}::uuid)`;
    return id;
  }

  /** Notes that it is used; false when the repository has no such upload. */
  async use(repository: string, id: string): Promise<boolean> {
    return (await this.prisma.$executeRaw`UPDATE repository_upload SET used_at = now() WHERE id = ${id}::uuid AND repository_id = ${repository}::uuid`) > 0;
  }

  /** Notes how many bytes there are now: they count for the organisation's quota. */
  async setBytes(id: string, bytes: number): Promise<void> {
    await this.prisma.$executeRaw`UPDATE repository_upload SET bytes = ${bytes} WHERE id = ${id}::uuid`;
  }

  async delete(id: string): Promise<void> {
    await this.prisma.$executeRaw`DELETE FROM repository_upload WHERE id = ${id}::uuid`;
  }
}
