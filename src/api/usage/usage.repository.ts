import { Injectable } from '@nestjs/common';
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

  /** Sums of the minutes that begin in [from, to), by version. */
  async byVersion(of: UsageSource, from: Date, to: Date): Promise<(UsageSums & { version: number })[]> {
    const groups = await this.prisma.usageMinute.groupBy({
      by: ['version'],
      where: { ...of, minute: { gte: from, lt: to } },
      _sum: { requests: true, errors: true, wallMs: true, cpuMs: true, bytesIn: true, bytesOut: true },
      orderBy: { version: 'asc' },
    });
    return groups.map(({ version, _sum: sum }) => ({
      version,
      requests: Number(sum.requests),
      errors: Number(sum.errors),
      wallMs: Number(sum.wallMs),
      cpuMs: Number(sum.cpuMs),
      bytesIn: Number(sum.bytesIn),
      bytesOut: Number(sum.bytesOut),
    }));
  }
}
