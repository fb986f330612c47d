import { Injectable } from '@nestjs/common';
import type { VersionNumber } from '#contract/ids.js';
import type { SyntheticTrigger } from '#contract/journal.js';
import { AppsService } from '../apps/apps.service.js';
import { UsageRepository } from './usage.repository.js';
import type { UsageQuery, UsageSums, UsageView } from './usage.schema.js';

const MINUTE_MS = 60_000;

@Injectable()
export class UsageService {
  constructor(
    private readonly repository: UsageRepository,
    private readonly apps: AppsService,
  ) {}

  /** What an app used, in whole minutes. Throws API_APP_NOT_FOUND. */
  async sum(name: string, { from, to, channel }: UsageQuery): Promise<UsageView> {
    const app = await this.apps.get(name);
    const first = new Date(Math.floor((from ?? app.createdAt).getTime() / MINUTE_MS) * MINUTE_MS);
    // The running minute counts, and a node's clock may be a little ahead.
    const last = new Date(Math.ceil((to?.getTime() ?? Date.now() + MINUTE_MS) / MINUTE_MS) * MINUTE_MS);
    const of = { appId: app.id, ...(channel !== undefined && { channel }) };
    const [versions, limits, apart] = await Promise.all([this.repository.byVersion(of, first, last), this.repository.limits(of, first, last), this.repository.apart(of, first, last)]);
    const under = (trigger: SyntheticTrigger): UsageSums => addUp(apart.filter((each) => each.trigger === trigger).map(({ sums }) => sums));
    return {
      ...addUp(versions),
      from: first.toISOString(),
      to: last.toISOString(),
      byVersion: versions.map((sums) => ({ ...sums, version: sums.version as VersionNumber })),
      limits: limits.map((each) => ({ ...each, version: each.version as VersionNumber })),
      apart: { shadow: under('whorl:shadow') },
    };
  }
}

function addUp(all: UsageSums[]): UsageSums {
  const total: UsageSums = { requests: 0, errors: 0, wallMs: 0, cpuMs: 0, bytesIn: 0, bytesOut: 0 };
  for (const sums of all) {
    for (const field of Object.keys(total) as (keyof UsageSums)[]) total[field] += sums[field];
  }
  return total;
}
