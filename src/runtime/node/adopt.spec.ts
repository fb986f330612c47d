import { describe, expect, it } from '@jest/globals';
import type { BuiltComponent, VersionArtifact } from '#contract/artifact.js';
import type { NodeAssignments } from '#contract/assignment.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import { artifactOf, assignmentOf, digestLike } from '../../../test/fixtures/assignment.js';
import { adopt, releasedBy } from './adopt.js';

const app = 'app' as ReturnType<typeof assignmentOf>['app'];
const other = 'other' as typeof app;
const held = { revision: 'a', assignments: [assignmentOf({ app, generation: 5, variablesRevision: 3 }), assignmentOf({ app: other, generation: 2 })] };

describe('adopt', () => {
  it('takes everything when nothing is held', () => {
    expect(adopt(undefined, held)).toEqual(held);
  });

  it('takes newer generations, newer values and new apps', () => {
    const answer = { revision: 'b', assignments: [assignmentOf({ app, generation: 6 }), assignmentOf({ app: other, generation: 2, variablesRevision: 1 })] };
    expect(adopt(held, answer)).toEqual(answer);
  });

  it('keeps an app whose assignment in the answer is older, and takes the rest', () => {
    const answer = { revision: 'b', assignments: [assignmentOf({ app, generation: 4, variablesRevision: 9 }), assignmentOf({ app: other, generation: 3 })] };
    expect(adopt(held, answer)).toEqual({ revision: 'b', assignments: [held.assignments[0], answer.assignments[1]] });
  });

  it('keeps the newer values of the same generation', () => {
    const answer = { revision: 'b', assignments: [assignmentOf({ app, generation: 5, variablesRevision: 2 })] };
    expect(adopt(held, answer).assignments[0]).toEqual(held.assignments[0]);
  });

  it('keeps what an empty or partial answer does not name', () => {
    expect(adopt(held, { revision: 'b', assignments: [] })).toEqual({ ...held, revision: 'b' });
    expect(adopt(held, { revision: 'b', assignments: [held.assignments[1]!] }).assignments).toEqual([held.assignments[1], held.assignments[0]]);
  });

  it('lets go of an app that the answer calls removed, and of one with nothing left to hold', () => {
    const removed = [{ app, channel: held.assignments[0]!.channel, generation: 5 }];
    const nothing = assignmentOf({ app: other, generation: 2, serve: [], versions: [] });
    expect(adopt(held, { revision: 'b', assignments: [nothing], removed })).toEqual({ revision: 'b', assignments: [] });
  });

  it('keeps an app that is newer than the one removed', () => {
    const removed = [{ app, channel: held.assignments[0]!.channel, generation: 4 }];
    expect(adopt(held, { revision: 'b', assignments: [], removed }).assignments).toEqual(held.assignments);
  });

  describe('what is placed elsewhere since', () => {
    const { channel } = held.assignments[0]!;
    const placed = (placement: number): NodeAssignments => ({ revision: 'a', assignments: [assignmentOf({ generation: 5, placement })] });
    const release = (from: NodeAssignments, change: object) => adopt(from, { revision: 'b', assignments: [], released: [{ app, channel, firstGeneration: 0, placement: 3, ...change }] }).assignments;

    it('goes, when it was given by an older placement or by none', () => {
      expect(release(placed(2), {})).toEqual([]);
      expect(release(held, {}).map((each) => each.app)).not.toContain(app);
    });

    it('is told apart from what stays, for a node that answers on while it leaves', () => {
      const answer = { revision: 'b', assignments: [], released: [{ app, channel, firstGeneration: 0, placement: 3 }] };
      expect(releasedBy(answer, placed(2))).toEqual(placed(2).assignments);
      expect(releasedBy(answer, placed(3))).toEqual([]);
      expect(releasedBy({ ...answer, assignments: placed(4).assignments }, placed(2))).toEqual([]);
      expect(releasedBy(answer, undefined)).toEqual([]);
    });

    it('stays when it was given anew meanwhile', () => {
      expect(release(placed(3), {})).toEqual(placed(3).assignments);
    });

    it('goes when it belonged to an earlier app of the name', () => {
      expect(release(placed(9), { firstGeneration: 6 })).toEqual([]);
    });

    it('is taken up again under the placement that gives it back', () => {
      expect(adopt(placed(2), { revision: 'b', assignments: placed(4).assignments }).assignments).toEqual(placed(4).assignments);
    });
  });

  describe('builds for an engine', () => {
    const builtFor = (engine: string, version = 1): VersionArtifact => ({ ...artifactOf(version), builds: { web: { engine, plan: digestLike(engine) } as BuiltComponent } });
    const own = { revision: 'a', assignments: [assignmentOf({ versions: [builtFor(ENGINE_VERSION)] })] };
    const offer = (versions: VersionArtifact[], change = {}) => adopt(own, { revision: 'b', assignments: [assignmentOf({ versions, ...change })] }).assignments;

    it('goes on with what this node can run while it is offered nothing else that it can', () => {
      expect(offer([])).toEqual(own.assignments);
      expect(offer([builtFor('0')])).toEqual(own.assignments);
      expect(offer([builtFor('0', 1), builtFor('0', 2)], { generation: 2 })).toMatchObject([{ generation: 2, versions: [own.assignments[0]!.versions[0], { version: 2 }] }]);
    });

    it('takes what it can run in the place of what it cannot', () => {
      const stale = { revision: 'a', assignments: [assignmentOf({ versions: [builtFor('0')] })] };
      expect(adopt(stale, { revision: 'b', assignments: own.assignments }).assignments).toEqual(own.assignments);
    });

    it('keeps nothing of another app of the same name', () => {
      const other = { ...builtFor('0'), digest: digestLike('other') };
      expect(offer([other], { generation: 2 })).toMatchObject([{ versions: [{ digest: other.digest }] }]);
      expect(offer([], { generation: 2 })).toMatchObject([{ versions: [] }]);
    });

    it('holds an app of which nothing is built for it yet, so that its hosts say that it is not ready', () => {
      expect(adopt(undefined, { revision: 'b', assignments: [assignmentOf({ versions: [] })] }).assignments).toHaveLength(1);
    });
  });
});
