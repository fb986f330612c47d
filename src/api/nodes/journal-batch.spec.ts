import { describe, expect, it } from '@jest/globals';
import type { JournalEntry, LogRecord, UsageRecord } from '#contract/journal.js';
import { type AppIdentity, identify, rollUp, storable, takeContiguous } from './journal-batch.js';

const usage = (change: Partial<Record<keyof UsageRecord, unknown>> = {}): UsageRecord =>
  ({
    kind: 'usage', at: 60_000, org: 'default', app: 'a', channel: 'production', version: 1, component: 'web', trigger: 'http',
    requests: 2, errors: 1, wallMs: 1.5, cpuMs: 0.5, bytesIn: 10, bytesOut: 20, ...change,
  }) as UsageRecord;
const entry = (seq: number): JournalEntry => ({ seq, record: usage() });
const identity = (id: string, createdAt: number, deletedAt: number | null): AppIdentity => ({
  id, orgId: 'o', org: 'default', app: 'a', createdAt: new Date(createdAt), deletedAt: deletedAt === null ? null : new Date(deletedAt),
});

describe(takeContiguous.name, () => {
  const seqs = (entries: JournalEntry[], nextSeq: number): [number[], number] => {
    const result = takeContiguous(entries, nextSeq);
    return [result.taken.map((taken) => taken.seq), result.nextSeq];
  };

  it('takes what goes on from where it is', () => {
    expect(seqs([entry(3), entry(4)], 3)).toEqual([[3, 4], 5]);
  });

  it('passes over what it has, and takes an entry once when it is sent twice', () => {
    expect(seqs([entry(1), entry(2), entry(3), entry(3)], 3)).toEqual([[3], 4]);
    expect(seqs([entry(1)], 3)).toEqual([[], 3]);
  });

  it('stops at a gap', () => {
    expect(seqs([entry(3), entry(5)], 3)).toEqual([[3], 4]);
    expect(seqs([entry(9)], 3)).toEqual([[], 3]);
  });

  it('does not mind the order', () => {
    expect(seqs([entry(4), entry(3)], 3)).toEqual([[3, 4], 5]);
  });
});

describe(identify.name, () => {
  const first = identity('first', 1000, 2000);
  const second = identity('second', 3000, null);

  it.each([
    ['the app of the time', 1500, 'first'],
    ['the later one after it was made', 3000, 'second'],
    ['the one before, between the two', 2500, 'first'],
    ['the first, before all', 500, 'first'],
  ])('finds %s', (_what, at, id) => {
    expect(identify(usage({ at }), [first, second])?.id).toBe(id);
  });

  it('knows nothing of other names and organisations', () => {
    expect(identify(usage({ app: 'b' }), [first])).toBeUndefined();
    expect(identify(usage({ org: 'other' }), [first])).toBeUndefined();
  });
});

describe(rollUp.name, () => {
  it('adds up by minute and by whatever is told apart', () => {
    const of = (change: Partial<Record<keyof UsageRecord, unknown>> = {}) => ({ record: usage(change), identity: identity('x', 0, null) });
    const sums = rollUp([of(), of({ at: 119_999 }), of({ at: 120_000 }), of({ version: 2 }), of({ component: 'other' })]);
    expect(sums).toHaveLength(4);
    expect(sums[0]).toMatchObject({ minuteMs: 60_000, requests: 4, errors: 2, wallMs: 3, cpuMs: 1, bytesIn: 20, bytesOut: 40 });
  });
});

describe(storable.name, () => {
  it('replaces what PostgreSQL cannot hold', () => {
    const record = { kind: 'log', at: -1, line: 'a\0b\ud800c', requestId: 'r' } as LogRecord;
    expect(storable(record)).toEqual({ kind: 'log', at: 0, line: 'a\uFFFDb\uFFFDc', requestId: 'r' });
  });
});
