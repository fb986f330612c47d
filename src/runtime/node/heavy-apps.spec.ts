import { describe, expect, it } from '@jest/globals';
import { assignmentOf } from '../../../test/fixtures/assignment.js';
import { HeavyApps } from './heavy-apps.js';

const { app, channel } = assignmentOf();
const MINUTE = 60_000;

describe('HeavyApps', () => {
  it('marks an app once, and forgets it five minutes after it was last named', () => {
    const apps = new HeavyApps();
    expect([apps.mark({ app, channel }, 0), apps.mark({ app, channel }, 4 * MINUTE)]).toEqual([true, false]);
    expect(apps.expire(8 * MINUTE)).toEqual([]);
    expect(apps.expire(9 * MINUTE + 1)).toEqual([{ app, channel }]);
    expect(apps.list()).toEqual([]);
  });
});
