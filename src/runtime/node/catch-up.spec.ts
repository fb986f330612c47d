import { describe, expect, it } from '@jest/globals';
import type { VersionArtifact } from '#contract/artifact.js';
import { artifactOf, assignmentOf, serving } from '../../../test/fixtures/assignment.js';
import { toAppLane, toKey } from './app-lane.js';
import { catchUp, inMessages, note, type DesiredApp, type Held } from './catch-up.js';
import { storedOf } from './stored-versions.js';

const app = toAppLane(assignmentOf());
const [one, two] = [artifactOf(1), artifactOf(2)];

function desire(served: DesiredApp['served'], ...artifacts: VersionArtifact[]): Map<string, DesiredApp> {
  return new Map([[toKey(app), { app, versions: new Map(artifacts.map((artifact) => [artifact.version, { stored: storedOf(artifact), proved: false }])), served }]]);
}

function proved(desired: Map<string, DesiredApp>): Map<string, DesiredApp> {
  for (const { versions } of desired.values()) for (const version of versions.values()) version.proved = true;
  return desired;
}

/** Carries out what is asked for until nothing is left; the kinds, round by round. */
function follow(desired: Map<string, DesiredApp>, held: Held): string[][] {
  const rounds: string[][] = [];
  for (let commands = catchUp(desired, held); commands.length > 0; commands = catchUp(desired, held)) {
    rounds.push(commands.map((command) => command.type));
    for (const command of commands) note(held, command);
    if (rounds.length > 10) throw new Error('does not end');
  }
  return rounds;
}

describe('catchUp', () => {
  it('prepares, then serves', () => {
    expect(follow(desire(app, one, two), new Map())).toEqual([['prepare', 'prepare'], ['serve']]);
  });

  it('serves again what has changed, even when only the values of variables have', () => {
    const held: Held = new Map();
    follow(desire(app, one), held);
    expect(follow(desire({ ...app, variablesRevision: 1 }, one), held)).toEqual([['serve']]);
  });

  it('lets go of what is not wanted any more', () => {
    const held: Held = new Map();
    follow(desire(app, one, two), held);
    expect(follow(desire(app, one), held)).toEqual([['release']]);
    expect(follow(new Map(), held)).toEqual([['remove']]);
    expect(held.size).toBe(0);
  });

  it('replaces a version that has other builds under the same number, without a time in which there is none', () => {
    const held: Held = new Map();
    follow(desire(app, one), held);
    const other = { ...one, app: { ...one.app, description: 'another' } };
    expect(follow(desire(app, other), held)).toEqual([['prepare']]);
  });

  it('makes known what was prepared before, and what serves, in one message', () => {
    expect(follow(proved(desire(app, one, two)), new Map())).toEqual([['know']]);
  });

  it('proves what was not, beside what is known', () => {
    const desired = desire({ ...app, serve: serving(2) }, one, two);
    desired.get(toKey(app))!.versions.get(one.version)!.proved = true;
    expect(follow(desired, new Map())).toEqual([['know', 'prepare'], ['serve']]);
  });

  it('holds up no runner with one message for all', () => {
    const channels = Array.from({ length: 1_001 }, () => ({ lane: app, versions: [], served: undefined }));
    expect(inMessages(channels).map((message) => message.channels.length)).toEqual([250, 250, 250, 250, 1]);
  });

  it('does not serve what cannot be there', () => {
    expect(follow(desire({ ...app, serve: serving(3) }, one), new Map())).toEqual([['prepare']]);
  });
});
