import { Injectable } from '@nestjs/common';
import { DEFAULT_ORG } from '#contract/ids.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import { TrustPolicy } from './trust-policy.js';

export interface TrustPolicyRecord {
  policy: TrustPolicy;
  /** Counts the changes; 0: it was never set. */
  revision: number;
  updatedBy: string;
  updatedAt: Date;
}

@Injectable()
export class TrustPolicyRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(): Promise<TrustPolicyRecord | undefined> {
    const row = await this.prisma.trustPolicy.findFirst({ where: { org: { name: DEFAULT_ORG } } });
    return row ? { ...row, policy: TrustPolicy.parse(row.policy) } : undefined;
  }

  /**
   * Sets the policy.
   * @param revisions one of which it must have now; undefined: whatever there is
   * @returns undefined when it has another
   */
  async put(policy: TrustPolicy, updatedBy: string, revisions: number[] | undefined): Promise<TrustPolicyRecord | undefined> {
    const rows = await this.prisma.$queryRaw<{ policy: unknown; revision: number; updatedBy: string; updatedAt: Date }[]>`
      INSERT INTO trust_policy AS p (org_id, policy, updated_by)
      SELECT id, ${JSON.stringify(policy)}::jsonb, ${updatedBy} FROM org WHERE name = ${DEFAULT_ORG}
        AND (${revisions ?? null}::int[] IS NULL OR 0 = ANY(${revisions ?? null}::int[]) OR EXISTS (SELECT FROM trust_policy WHERE org_id = org.id))
      ON CONFLICT (org_id) DO UPDATE SET policy = EXCLUDED.policy, revision = p.revision + 1, updated_by = EXCLUDED.updated_by, updated_at = now()
        WHERE ${revisions ?? null}::int[] IS NULL OR p.revision = ANY(${revisions ?? null}::int[])
      RETURNING policy, revision, updated_by AS "updatedBy", updated_at AS "updatedAt"`;
    const [row] = rows;
    return row && { ...row, policy: TrustPolicy.parse(row.policy) };
  }
}
