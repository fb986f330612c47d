import { isSynthetic, type JournalEntry, type JournalRecord, type UsageRecord } from '#contract/journal.js';

const MINUTE_MS = 60_000;

/** One app that has had a name, for a time. */
export interface AppIdentity {
  id: string;
  orgId: string;
  org: string;
  app: string;
  createdAt: Date;
  deletedAt: Date | null;
}

export interface UsageRollup {
  minuteMs: number;
  orgId: string;
  appId: string;
  channel: string;
  version: number;
  component: string;
  trigger: string;
  requests: number;
  errors: number;
  wallMs: number;
  cpuMs: number;
  bytesIn: number;
  bytesOut: number;
}

/**
 * The entries of a batch that go on from `nextSeq` without a gap, in order. What was taken before is left out; what follows a gap waits
 * until the node sends what is missing.
 */
export function takeContiguous(entries: readonly JournalEntry[], nextSeq: number): { taken: JournalEntry[]; nextSeq: number } {
  const taken: JournalEntry[] = [];
  for (const entry of [...entries].sort((a, b) => a.seq - b.seq)) {
    if (entry.seq === nextSeq + taken.length) taken.push(entry);
  }
  return { taken, nextSeq: nextSeq + taken.length };
}

/**
 * The app that a record is about: names are used again after a deletion, so the time decides. A record from before the first or from
 * between two (clocks differ) goes to the one nearest before it, else to the first. undefined: no app ever had the name.
 */
export function identify(record: JournalRecord, identities: readonly AppIdentity[]): AppIdentity | undefined {
  const named = identities.filter((identity) => identity.app === record.app && identity.org === record.org);
  return named.findLast((identity) => identity.createdAt.getTime() <= record.at) ?? named[0];
}

/** Adds records up by minute and whatever usage is told apart by. */
export function rollUp(records: readonly { record: UsageRecord; identity: AppIdentity }[]): UsageRollup[] {
  const sums = new Map<string, UsageRollup>();
  for (const { record, identity } of records) {
    const minuteMs = Math.floor(record.at / MINUTE_MS) * MINUTE_MS;
    const { channel, version, component, trigger } = record;
    const key = JSON.stringify([identity.id, minuteMs, channel, version, component, trigger]);
    const sum = sums.get(key) ?? {
      minuteMs, orgId: identity.orgId, appId: identity.id, channel, version, component, trigger,
      requests: 0, errors: 0, wallMs: 0, cpuMs: 0, bytesIn: 0, bytesOut: 0,
    };
    for (const field of ['requests', 'errors', 'wallMs', 'cpuMs', 'bytesIn', 'bytesOut'] as const) sum[field] += record[field];
    sums.set(key, sum);
  }
  return [...sums.values()];
}

/** How often one limit struck in one component in one minute. */
export interface LimitRollup {
  minuteMs: number;
  orgId: string;
  appId: string;
  channel: string;
  version: number;
  component: string;
  code: string;
  count: number;
}

/** Adds limits up by minute and by whose they are. Those that no client met are left out. */
export function rollUpLimits(records: readonly { record: UsageRecord; identity: AppIdentity }[]): LimitRollup[] {
  const sums = new Map<string, LimitRollup>();
  for (const { record, identity } of records) {
    const minuteMs = Math.floor(record.at / MINUTE_MS) * MINUTE_MS;
    const { channel, version, component, limits = {} } = record;
    if (isSynthetic(record.trigger)) continue;
    for (const [code, count] of Object.entries(limits)) {
      const key = JSON.stringify([identity.id, minuteMs, channel, version, component, code]);
      const sum = sums.get(key) ?? { minuteMs, orgId: identity.orgId, appId: identity.id, channel, version, component, code, count: 0 };
      sum.count += count;
      sums.set(key, sum);
    }
  }
  return [...sums.values()];
}

/** Milliseconds that both a Date and a timestamp of PostgreSQL can hold. */
const MAX_AT_MS = 8_640_000_000_000_000;

/**
 * PostgreSQL's text holds neither U+0000 nor half of a surrogate pair, and a guest may write both. A record that could not be stored
 * would hold up its journal for ever.
 */
export function storable<T extends JournalRecord>(record: T): T {
  const texts = Object.entries(record).map(([key, value]) => [key, typeof value === 'string' ? value.replaceAll('\0', '\uFFFD').toWellFormed() : value]);
  return { ...(Object.fromEntries(texts) as T), at: Math.min(Math.max(record.at, 0), MAX_AT_MS) };
}
