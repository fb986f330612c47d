import type { LimitCode } from '#contract/errors/component.js';
import type { UsageRecord } from '#contract/journal.js';

type Source = Pick<UsageRecord, 'org' | 'app' | 'channel' | 'version' | 'component'>;

/** Usage of one component of one version, whatever triggered it. */
export interface UsageSum extends Source {
  requests: number;
  errors: number;
  wallMs: number;
  cpuMs: number;
  bytesIn: number;
  bytesOut: number;
  limits: Partial<Record<LimitCode, number>>;
}

const COUNTS = ['requests', 'errors', 'wallMs', 'cpuMs', 'bytesIn', 'bytesOut'] as const;

export const toSourceKey = ({ org, app, channel, version, component }: Source): string => `${org}/${app}/${channel}/${version}/${component}`;

export function emptySum({ org, app, channel, version, component }: Source): UsageSum {
  return { org, app, channel, version, component, requests: 0, errors: 0, wallMs: 0, cpuMs: 0, bytesIn: 0, bytesOut: 0, limits: {} };
}

/** Adds what `more` says to `sum`. */
export function addUsage(sum: UsageSum, more: Pick<UsageRecord, (typeof COUNTS)[number] | 'limits'>): void {
  for (const name of COUNTS) sum[name] += more[name];
  for (const [code, count] of Object.entries(more.limits ?? {})) sum.limits[code as LimitCode] = (sum.limits[code as LimitCode] ?? 0) + count;
}

/** Usage since it was last taken: for those who want totals rather than records. */
export class UsageTally {
  private sums = new Map<string, UsageSum>();

  add(record: UsageRecord): void {
    const key = toSourceKey(record);
    let sum = this.sums.get(key);
    if (!sum) this.sums.set(key, (sum = emptySum(record)));
    addUsage(sum, record);
  }

  take(): UsageSum[] {
    const sums = [...this.sums.values()];
    this.sums = new Map();
    return sums;
  }
}
