import { describe, expect, it } from '@jest/globals';
import { advanceDrain, beginDrain, countStates, type DrainingNode, type DrainSurroundings, inState } from './drain-record.js';

const letGo = (counts: Partial<DrainingNode['letGo']> = {}): DrainingNode['letGo'] => ({ channels: 0, finished: 0, dropped: 0, underWay: 0, ...counts });
const node = (holds: string[], more: Partial<DrainingNode> = {}): DrainingNode => ({ startCount: 3, farewell: null, letGo: letGo(), holds: new Set(holds), ...more });
const around = (elsewhere: string[], bound: Record<string, string> = {}): DrainSurroundings => ({ elsewhere: new Set(elsewhere), bound: new Map(Object.entries(bound)) });

describe('a drain', () => {
  it('goes from waiting over moving to moved, and ends when nothing is under way', () => {
    const begun = beginDrain('operator', node(['a/p', 'b/p']), 1);
    const first = advanceDrain(begun, node(['a/p', 'b/p']), around(['a/p']), 2);
    expect([countStates(first), first.endedAtMs]).toMatchObject([{ waiting: 1, moving: 1 }, null]);
    const second = advanceDrain(first, node([], { letGo: letGo({ channels: 2, underWay: 1, finished: 4 }) }), around(['a/p', 'b/p']), 3);
    expect([countStates(second).moved, second.endedAtMs]).toEqual([2, null]);
    const last = advanceDrain(second, node([], { letGo: letGo({ channels: 2, finished: 5 }) }), around(['a/p', 'b/p']), 4);
    expect(last).toMatchObject({ endedAtMs: 4, finished: 5, dropped: 0, restarted: false });
  });

  it('does not count what was let go of before it', () => {
    const begun = beginDrain('operator', node([], { letGo: letGo({ finished: 10, dropped: 2 }) }), 1);
    expect(advanceDrain(begun, node([], { letGo: letGo({ finished: 12, dropped: 2 }) }), around([]), 2)).toMatchObject({ finished: 2, dropped: 0 });
  });

  it('counts anew after a start of the node, and says that something may be missing', () => {
    const begun = beginDrain('operator', node(['a/p'], { letGo: letGo({ finished: 10 }) }), 1);
    const next = advanceDrain(begun, node(['a/p'], { startCount: 4, letGo: letGo({ finished: 1 }) }), around([]), 2);
    expect(next).toMatchObject({ finished: 1, restarted: true });
  });

  it('ends with what is bound to the node, and names it', () => {
    const begun = beginDrain('operator', node(['a/p', 'b/p']), 1);
    const last = advanceDrain(begun, node(['b/p']), around(['a/p'], { 'b/p': 'its state is in files' }), 2);
    expect([inState(last, 'kept'), last.endedAtMs]).toEqual([[{ app: 'b', channel: 'p', reason: 'its state is in files' }], 2]);
  });

  it('takes a channel that nobody serves any more for ended, and one that has moved for moved whatever happens to it later', () => {
    const begun = advanceDrain(beginDrain('operator', node([]), 1), node(['a/p', 'b/p']), around([]), 2);
    const moved = advanceDrain(begun, node(['b/p']), around(['a/p']), 3);
    const last = advanceDrain(moved, node([]), around([]), 4);
    expect(countStates(last)).toMatchObject({ moved: 1, ended: 1, waiting: 0 });
  });

  it('of a node that stops by itself ends when it is gone, with what was served by nobody else kept', () => {
    const begun = advanceDrain(beginDrain('node', node(['a/p', 'b/p'], { farewell: 'leaving' }), 1), node(['a/p', 'b/p'], { farewell: 'leaving' }), around(['a/p']), 2);
    expect(begun.endedAtMs).toBeNull();
    const last = advanceDrain(begun, node(['a/p', 'b/p'], { farewell: 'gone', letGo: letGo({ finished: 3, dropped: 1 }) }), around(['a/p']), 3);
    expect(last).toMatchObject({ endedAtMs: 3, finished: 3, dropped: 1, channels: { 'a/p': { state: 'moved' }, 'b/p': { state: 'kept' } } });
  });
});
