import { Injectable } from '@nestjs/common';
import { PrismaService } from '#platform/prisma/prisma.service.js';

@Injectable()
export class HealthRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Throws when the database cannot be reached. */
  async check(): Promise<void> {
    await this.prisma.$queryRaw`SELECT 1`;
  }
}
