import { describe, expect, it } from '@jest/globals';
import * as contract from '#contract/samples.js';
import { resolveSettings, settingsOfManifest } from './settings.js';

const manifest = (whorl: string) => `spin_manifest_version = 2\n[application]\nname = "shop"\n${whorl}`;

describe(settingsOfManifest.name, () => {
  it('reads strategy, key and policy of [application.tool.whorl]', () => {
    const text = '[application.tool.whorl]\nrollout = "steps:10@30s"\nkey_header = "x-user"\n[application.tool.whorl.analysis]\nmin_requests = 7\n';
    expect(settingsOfManifest(manifest(text))).toMatchObject({ strategy: 'steps:10@30s', keyHeader: 'x-user', analysis: { minRequests: 7, enabled: true } });
  });

  it('finds nothing where nothing is said, and in a locked app', () => {
    for (const text of [manifest(''), manifest('[application.tool.other]\nrollout = 1\n'), '{"spin_lock_version":1}', '']) expect(settingsOfManifest(text)).toEqual({});
  });

  it.each([
    ['rollout = "tomorrow"', /line 5, application\.tool\.whorl\.rollout: "tomorrow" is no strategy/],
    ['rollout = "shadow:0"', /from 0\.1 to 100 percent/],
    ['shadow = { max_different = 2 }', /shadow\.max_different: /],
    ['shadow = { maxDifferent = 1 }', /shadow\.maxDifferent: unknown key; write max_different/],
    ['key_header = "x user"', /application\.tool\.whorl\.key_header: expected the name of a header field/],
    ['rolout = "now"', /application\.tool\.whorl\.rolout: unknown key; known here: rollout, key_header, analysis, shadow/],
    ['analysis = { minRequests = 7 }', /analysis\.minRequests: unknown key; write min_requests/],
    ['analysis = { on_insufficient_data = "probe" }', /analysis\.on_insufficient_data: probes cannot be sent/],
  ])('refuses %s, by line', (line, message) => {
    expect(() => settingsOfManifest(manifest(`[application.tool.whorl]\n${line}\n`))).toThrow(message);
  });
});

describe(resolveSettings.name, () => {
  it('takes the first that says something, key by key', () => {
    expect(resolveSettings({ strategy: 'now' }, { strategy: 'steps:5@1s', keyHeader: 'a' }, { keyHeader: 'b' })).toMatchObject({ strategy: 'now', keyHeader: 'a', policy: { enabled: true } });
    expect(resolveSettings({})).toMatchObject({ strategy: 'now', keyHeader: null });
  });
});

describe('what nodes count', () => {
  it('is what nodes of any release count: buckets, groups, and when a request is overdue', () => {
    const { BUCKETS: buckets, BUCKETS_PER_DOUBLING: perDoubling, GROUPS: groups, OVERDUE_MS: overdueMs } = contract;
    expect([buckets, perDoubling, groups, overdueMs]).toEqual([512, 16, 8, 5_000]);
  });
});
