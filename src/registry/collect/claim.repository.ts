import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import { BlobClaims, CLAIM_MS } from '#registry/storage/blob-claims.js';

/** The deletion of one batch takes no longer (see sweep.ts); a row that says so for longer is of a collector that is gone. */
export const DELETING_MS = 60_000;
/** Longer than DELETING_MS: what a dead collector left costs time, not an error. */
const WAIT_MS = 75_000;
const LOOK_MS = 50;

/** Claims as rows, so that they hold for every process of the fleet and outlive each of them. Times are those of the database. */
@Injectable()
export class ClaimRepository extends BlobClaims {
  constructor(private readonly prisma: PrismaService) {
    super();
  }

  async claim(digests: readonly string[]): Promise<void> {
    const deadlineMs = performance.now() + WAIT_MS;
    for (let left = await this.tryClaim(digests); left.length > 0; left = await this.tryClaim(left)) {
      if (performance.now() > deadlineMs) throw new WhorlError('REGISTRY_STORAGE_UNAVAILABLE', `${left[0]} is being deleted, and that takes too long`);
      await sleep(LOOK_MS);
    }
  }

  /** Marks those that are not claimed as being deleted: nobody can claim them until `release`. Answers which. */
  async condemn(digests: readonly string[]): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ digest: string }[]>`
      INSERT INTO blob_claim (digest, until, deleting_at) SELECT d, now(), now() FROM unnest(${sorted(digests)}::text[]) d ORDER BY d
      ON CONFLICT (digest) DO UPDATE SET deleting_at = now()
        WHERE blob_claim.until <= now() AND (blob_claim.deleting_at IS NULL OR blob_claim.deleting_at < now() - ${DELETING_MS} * interval '1 millisecond')
      RETURNING digest`;
    return rows.map(({ digest }) => digest);
  }

  /** They are deleted, or stay after all. */
  async release(digests: readonly string[]): Promise<void> {
    await this.prisma.$executeRaw`DELETE FROM blob_claim WHERE digest = ANY(${[...digests]}::text[]) AND deleting_at IS NOT NULL`;
  }

  /** Those that are claimed now. */
  async claimed(digests: readonly string[]): Promise<Set<string>> {
    const rows = await this.prisma.$queryRaw<{ digest: string }[]>`SELECT digest FROM blob_claim WHERE digest = ANY(${[...digests]}::text[]) AND until > now()`;
    return new Set(rows.map(({ digest }) => digest));
  }

  /** Forgets claims that are over. */
  async removeOver(): Promise<number> {
    return this.prisma.$executeRaw`
      DELETE FROM blob_claim WHERE until <= now() AND (deleting_at IS NULL OR deleting_at < now() - ${DELETING_MS} * interval '1 millisecond')`;
  }

  /** In one order, so that two who claim several never wait for each other in a ring. Answers those that are being deleted. */
  private async tryClaim(digests: readonly string[]): Promise<string[]> {
    if (digests.length === 0) return [];
    const wanted = sorted(digests);
    const rows = await this.prisma.$queryRaw<{ digest: string }[]>`
      WITH claimed AS (
        INSERT INTO blob_claim (digest, until) SELECT d, now() + ${CLAIM_MS} * interval '1 millisecond' FROM unnest(${wanted}::text[]) d ORDER BY d
        ON CONFLICT (digest) DO UPDATE SET until = greatest(blob_claim.until, EXCLUDED.until), deleting_at = NULL
          WHERE blob_claim.deleting_at IS NULL OR blob_claim.deleting_at < now() - ${DELETING_MS} * interval '1 millisecond'
        RETURNING digest)
      SELECT d AS digest FROM unnest(${wanted}::text[]) d WHERE d NOT IN (SELECT digest FROM claimed)`;
    return rows.map(({ digest }) => digest);
  }
}

const sorted = (digests: readonly string[]): string[] => [...new Set(digests)].sort();
