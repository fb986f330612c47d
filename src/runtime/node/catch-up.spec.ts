import { describe, expect, it } from '@jest/globals';
import type { VersionArtifact } from '#contract/artifact.js';
import { artifactOf, assignmentOf, serving } from '../../../test/fixtures/assignment.js';
import { toAppLane, toKey } from './app-lane.js';
import { catchUp, note, type DesiredApp, type Held } from './catch-up.js';

const app = toAppLane(assignmentOf());
const [one, two] = [artifactOf(1), artifactOf(2)];

function desire(served: DesiredApp['served'], ...artifacts: VersionArtifact[]): Map<string, DesiredApp> {
  return new Map([[toKey(app), { app, versions: new Map(artifacts.map((artifact) => [artifact.version, { artifact }])), served }]]);
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

  it('replaces a version that has other bytes under the same number', () => {
    const held: Held = new Map();
    follow(desire(undefined, one), held);
    expect(follow(desire(undefined, artifactOf(1)), held)).toEqual([['release'], ['prepare']]);
  });

  it('does not serve what cannot be there', () => {
    expect(follow(desire({ ...app, serve: serving(3) }, one), new Map())).toEqual([['prepare']]);
  });
});
