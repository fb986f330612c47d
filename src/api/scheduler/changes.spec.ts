import { describe, expect, it } from '@jest/globals';
import type { Assignment, NodeAssignments } from '#contract/assignment.js';
import { assignmentOf } from '../../../test/fixtures/assignment.js';
import { Changes } from './changes.js';

const app = (name: string, change: Partial<Assignment> = {}): Assignment => assignmentOf({ app: name as Assignment['app'], ...change });
const state = (revision: string, assignments: Assignment[], removed: NodeAssignments['removed'] = []): NodeAssignments => ({ revision, assignments, removed });

describe('Changes', () => {
  const first = state('1', [app('a'), app('b'), app('c')]);

  it('answers everything to who holds nothing, or something that nobody remembers', () => {
    const changes = new Changes();
    expect(changes.since(undefined, first)).toEqual(first);
    expect(changes.since('0', first)).toEqual(first);
  });

  it('answers what differs: changed, new, and with nothing left to hold', () => {
    const changes = new Changes();
    changes.since(undefined, first);
    const emptied = app('c', { generation: 2, serve: [], versions: [] });
    const second = state('2', [app('a'), app('b', { generation: 2 }), emptied, app('d')]);
    expect(changes.since('1', second)).toEqual({ ...second, assignments: second.assignments.slice(1) });
    expect(changes.since('2', second).assignments).toEqual([]);
  });

  it('names what was removed', () => {
    const changes = new Changes();
    changes.since(undefined, first);
    const removed = [{ app: app('a').app, channel: app('a').channel, generation: 1 }];
    expect(changes.since('1', state('2', [app('b'), app('c')], removed))).toEqual(state('2', [], removed));
  });

  it('answers everything when something has gone without a trace, as with a database that was put back', () => {
    const changes = new Changes();
    changes.since(undefined, first);
    expect(changes.since('1', state('0', [app('b')])).assignments).toEqual([app('b')]);
  });

  it('remembers so many states, not all', () => {
    const changes = new Changes();
    changes.since(undefined, first);
    for (let i = 2; i < 100; i++) changes.since(undefined, state(String(i), [app('a')]));
    expect(changes.since('1', state('100', first.assignments)).assignments).toHaveLength(3);
    expect(changes.since('99', state('100', first.assignments)).assignments).toHaveLength(2);
  });
});
