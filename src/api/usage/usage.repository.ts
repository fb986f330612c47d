import { Injectable } from '@nestjs/common';
import { SYNTHETIC_TRIGGERS } from '#contract/journal.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import type { UsageSums } from './usage.schema.js';

/** Whose usage: of an app, or of one of its channels alone. */
export interface UsageSource {
  appId: string;
  channel?: string;
}

@Injectable()
export class UsageRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** How often limits struck in the minutes that begin in [from, to). */
  async limits(of: UsageSource, from: Date, to: Date): Promise<{ version: number; component: string; code: string; count: number }[]> {
    const groups = await this.prisma.limitMinute.groupBy({
      by: ['version', 'component', 'code'],
      where: { ...of, minute: { gte: from, lt: to } },
      _sum: { count: true },
      orderBy: [{ version: 'asc' }, { component: 'asc' }, { code: 'asc' }],
    });
    return groups.map(({ _sum: sum, ...whose }) => ({ ...whose, count: Number(sum.count) }));
  }

  /** Sums of what clients asked for in the minutes that begin in [from, to), by version. */
  async byVersion(of: UsageSource, from: Date, to: Date): Promise<(UsageSums & { version: number })[]> {
    const groups = await this.prisma.usageMinute.groupBy({
      by: ['version'],
      where: { ...of, minute: { gte: from, lt: to }, trigger: { notIn: [...SYNTHETIC_TRIGGERS] } },
      _sum: SUMMED,
      orderBy: { version: 'asc' },
    });
    return groups.map(({ version, _sum: sum }) => ({ version, ...toSums(sum) }));
  }

  /** Sums of what no client asked for, by what stands for its trigger. */
  async apart(of: UsageSource, from: Date, to: Date): Promise<{ trigger: string; sums: UsageSums }[]> {
    const where = { ...of, minute: { gte: from, lt: to }, trigger: { in: [...SYNTHETIC_TRIGGERS] } };
    const groups = await this.prisma.usageMinute.groupBy({ by: ['trigger'], where, _sum: SUMMED });
    return groups.map(({ trigger, _sum: sum }) => ({ trigger, sums: toSums(sum) }));
  }
}

const SUMMED = { requests: true, errors: true, wallMs: true, cpuMs: true, bytesIn: true, bytesOut: true } as const;

function toSums(sum: Record<keyof UsageSums, bigint | number | null>): UsageSums {
  return Object.fromEntries((Object.keys(SUMMED) as (keyof UsageSums)[]).map((key) => [key, Number(sum[key])])) as UsageSums;
}
