import { Injectable } from '@nestjs/common';
import { Prisma } from '../prisma/generated/client.js';
import { PrismaService } from '../prisma/prisma.service.js';

/** A request that has no answer and was not heard of for so long died with its process; another may take its key. */
const LEASE_MS = 15_000;

export interface StoredAnswer {
  fingerprint: string;
  bodyDigest: string | null;
  /** null while the first request is under way. */
  status: number | null;
  headers: unknown;
  body: unknown;
}

/** A claim holds for a while and has to be renewed so often. */
export const RENEW_MS = LEASE_MS / 3;

/** By when a claim of now ends. */
const UNTIL = Prisma.sql`now() + ${LEASE_MS}::float8 * interval '1 millisecond'`;

@Injectable()
export class IdempotencyRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Takes the key for a new request. Answers what is known of it when it was taken before. */
  async claim(id: string, fingerprint: string): Promise<StoredAnswer | undefined> {
    const taken = await this.prisma.$executeRaw`
      INSERT INTO idempotency_key (id, fingerprint, claimed_until) VALUES (${id}, ${fingerprint}, ${UNTIL})
      ON CONFLICT (id) DO UPDATE SET created_at = now(), claimed_until = EXCLUDED.claimed_until
      WHERE idempotency_key.status IS NULL AND idempotency_key.claimed_until < now() AND idempotency_key.fingerprint = EXCLUDED.fingerprint`;
    if (taken > 0) return undefined;
    const row = await this.prisma.idempotencyKey.findUnique({ where: { id } });
    // Let go of between the two statements: take it now.
    return row ?? this.claim(id, fingerprint);
  }

  /** The request is still under way. */
  async renew(id: string): Promise<void> {
    await this.prisma.$executeRaw`UPDATE idempotency_key SET claimed_until = ${UNTIL} WHERE id = ${id} AND status IS NULL`;
  }

  async save(id: string, answer: { status: number; headers: Record<string, string>; body: unknown; bodyDigest: string | null }): Promise<void> {
    const { status, headers, bodyDigest } = answer;
    await this.prisma.idempotencyKey.update({ where: { id }, data: { status, headers, body: answer.body as object, bodyDigest } });
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
