import { Injectable } from '@nestjs/common';
import { PrismaService } from '../prisma/prisma.service.js';

/** A request that began this long ago and has no answer died with its process; another may take its key. */
const ABANDONED_AFTER_MS = 15 * 60_000;

export interface StoredAnswer {
  fingerprint: string;
  bodyDigest: string | null;
  /** null while the first request is under way. */
  status: number | null;
  body: unknown;
}

@Injectable()
export class IdempotencyRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Takes the key for a new request. Answers what is known of it when it was taken before. */
  async claim(id: string, fingerprint: string): Promise<StoredAnswer | undefined> {
    const taken = await this.prisma.$executeRaw`
      INSERT INTO idempotency_key (id, fingerprint) VALUES (${id}, ${fingerprint})
      ON CONFLICT (id) DO UPDATE SET created_at = now(), fingerprint = EXCLUDED.fingerprint
      WHERE idempotency_key.status IS NULL AND idempotency_key.created_at < now() - ${ABANDONED_AFTER_MS} * interval '1 millisecond'`;
    if (taken > 0) return undefined;
    const row = await this.prisma.idempotencyKey.findUnique({ where: { id } });
    // Let go of between the two statements: take it now.
    return row ?? this.claim(id, fingerprint);
  }

  async save(id: string, answer: { status: number; body: unknown; bodyDigest: string | null }): Promise<void> {
    await this.prisma.idempotencyKey.update({ where: { id }, data: { status: answer.status, body: answer.body as object, bodyDigest: answer.bodyDigest } });
  }

  /** Lets go of the key of a request that failed, so that it can be tried again. */
  async release(id: string): Promise<void> {
    await this.prisma.idempotencyKey.deleteMany({ where: { id, status: null } });
  }

  /** Forgets keys older than the date. Answers how many. */
  async removeBefore(date: Date): Promise<number> {
    const { count } = await this.prisma.idempotencyKey.deleteMany({ where: { createdAt: { lt: date } } });
    return count;
  }
}
