import { describe, expect, it } from '@jest/globals';
import type { AppVersion } from './app-version.js';
import { pickVersion } from './channel-table.js';

describe(pickVersion.name, () => {
  const [one, two] = [{}, {}] as AppVersion[];

  it('chooses by the shares, at their bounds too', () => {
    const choices = [{ below: 75, version: one! }, { below: 100, version: two! }];
    expect([0, 74.9, 75, 99.99].map((at) => pickVersion({ choices }, () => at))).toEqual([one, one, two, two]);
  });

  it('needs no chance for one, and finds none among none', () => {
    const never = () => { throw new Error('not asked'); };
    expect(pickVersion({ choices: [{ below: 100, version: one! }] }, never)).toBe(one);
    expect(pickVersion({ choices: [] }, never)).toBeUndefined();
  });
});
