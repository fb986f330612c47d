import { describe, expect, it } from '@jest/globals';
import { readRevision, sinceOf, viewOf, writeRevision } from './node-revision.js';

const now = { fleetId: '6f1f1b0e-7a4e-4c53-8d75-0c0a3f6f4f11', horizon: 90n, view: viewOf('1', '3') };
const after = { ...now, horizon: 80n, digest: 'abc' };

describe('what a node says that it holds', () => {
  it('comes back as it went out', () => {
    expect(readRevision(writeRevision(after))).toEqual(after);
  });

  it.each([undefined, '', 'unknown', 'Rk-_2d', `${now.fleetId}.x.${now.view}.abc`])('is not known as %s', (text) => {
    expect(readRevision(text)).toBeUndefined();
  });

  it('is gone on from, in the same database and the same view', () => {
    expect(sinceOf(after, now)).toBe(80n);
    expect(sinceOf(after, { ...now, view: viewOf('1', '4') })).toBeNull();
    expect(sinceOf(after, { ...now, fleetId: '00000000-7a4e-4c53-8d75-0c0a3f6f4f11' })).toBeNull();
  });

  it('is not gone on from when it is of a later time, as of a database that was set back', () => {
    expect(sinceOf(after, { ...now, horizon: 70n })).toBeNull();
  });
});
