import { describe, expect, it } from '@jest/globals';
import { AnalysisPolicy, DEFAULT_POLICY } from './policy.js';
import { readPolicy } from './read-policy.js';

describe('AnalysisPolicy', () => {
  it('judges by default, and rolls back', () => {
    expect(DEFAULT_POLICY).toMatchObject({ enabled: true, dryRun: false, falseAlarms: 0.02, onInsufficientData: 'pause', errors: { judge: true, tolerated: 1.25 } });
  });

  it('takes a part of it, the rest by default', () => {
    expect(AnalysisPolicy.parse({ errors: { toleratedSlack: 0.005 }, cpu: { judge: false } })).toEqual({
      ...DEFAULT_POLICY, errors: { ...DEFAULT_POLICY.errors, toleratedSlack: 0.005 }, cpu: { ...DEFAULT_POLICY.cpu, judge: false },
    });
  });

  const off = { judge: false };
  it.each([
    ['a key it does not know', { threshold: 1 }, /[Uu]nrecognized/],
    ['no chance of a false alarm at all', { falseAlarms: 0 }, /0\.0001/],
    ['a share above 1', { errors: { toleratedSlack: 1.5 } }, /1/],
    ['to refuse what it tolerates', { latency: { tolerated: 2 } }, /must not be below tolerated, which is 2/],
    ['to refuse a ratio that it tolerates', { errors: { toleratedSlack: 0.02 } }, /must not be below what is tolerated/],
    ['to judge nothing', { errors: off, traps: off, limits: off, latency: off, cpu: off }, /nothing is left to judge/],
  ])('refuses %s', (_, policy, message) => {
    expect(AnalysisPolicy.safeParse(policy).error?.issues.map((issue) => issue.message).join()).toMatch(message);
  });
});

describe(readPolicy.name, () => {
  it('reads the table of a manifest, in snake case', () => {
    expect(readPolicy({ dry_run: true, hold_ms: 1_000, latency: { tolerated_slack_ms: 5 } })).toEqual({
      ...DEFAULT_POLICY, dryRun: true, holdMs: 1_000, latency: { ...DEFAULT_POLICY.latency, toleratedSlackMs: 5 },
    });
    expect(readPolicy({})).toEqual(DEFAULT_POLICY);
  });

  it('names keys as the manifest writes them', () => {
    expect(readPolicy({ hold_ms: -1, errors: { refused_slack: 2 } })).toEqual({ problems: [{ key: 'hold_ms', message: expect.any(String) }, { key: 'errors.refused_slack', message: expect.any(String) }] });
    expect(readPolicy({ latency: { p99_ms: 5 } })).toEqual({ problems: [{ key: 'latency.p99_ms', message: 'unknown key' }] });
    expect(readPolicy({ dryRun: true })).toEqual({ problems: [{ key: 'dryRun', message: 'unknown key; write dry_run' }] });
    expect(readPolicy(3)).toEqual({ problems: [{ key: '', message: expect.any(String) }] });
  });
});
