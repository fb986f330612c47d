import { describe, expect, it } from '@jest/globals';
import { type IndexedChannel, PlacedIndex } from './placed-index.js';
import type { Replica } from './placement/placement.js';

const replica = (node: string, change: Partial<Replica> = {}): Replica => ({ node, generation: 1, active: false, leaving: false, replaces: null, reason: '', ...change });
const channel = (id: string, replicas: Replica[] | null, change: Partial<IndexedChannel> = {}): IndexedChannel => ({
  id, app: `app-${id}`, channel: 'production', generation: 4, firstGeneration: 2, isGone: false, changed: 10n, stamp: 10n, placement: replicas && { generation: 5, replicas }, ...change,
});
const held = (id: string, change = {}) => ({ app: `app-${id}`, channel: 'production', generation: 4, placement: 1, ...change });

describe(PlacedIndex.name, () => {
  it('gives a node what is placed on it alone', () => {
    const index = new PlacedIndex();
    index.take(channel('a', [replica('n1')]));
    index.take(channel('b', [replica('n2')]));
    expect(index.stateOf('n1').placed.map((each) => each.channel.id)).toEqual(['a']);
    expect(index.stateOf('n3')).toMatchObject({ placed: [], released: [], removed: [] });
  });

  it('names the nodes that a change concerns: those of before, those of now, and those that say they hold it', () => {
    const index = new PlacedIndex();
    index.take(channel('a', [replica('n1')]));
    index.report('n3', [held('a')]);
    expect(index.take(channel('a', [replica('n2')])).sort()).toEqual(['n1', 'n2', 'n3']);
  });

  it('tells a node to let go of what leaves it, and of what others have been given while it was away', () => {
    const index = new PlacedIndex();
    index.take(channel('a', [replica('n1', { leaving: true }), replica('n2')]));
    index.take(channel('b', [replica('n2')]));
    index.report('n1', [held('a'), held('b')]);
    const released = (id: string) => ({ app: `app-${id}`, channel: 'production', firstGeneration: 2, placement: 5 });
    expect(index.stateOf('n1')).toMatchObject({ placed: [], released: [released('a'), released('b')] });
    index.report('n1', []);
    expect(index.stateOf('n1').released).toEqual([]);
  });

  it('tells nobody to let go of what nobody has placed, or what is nowhere else', () => {
    const index = new PlacedIndex();
    index.take(channel('a', null));
    index.take(channel('b', []));
    index.report('n1', [held('a'), held('b'), held('unknown')]);
    expect(index.stateOf('n1')).toMatchObject({ released: [], removed: [] });
  });

  it('says of what is gone for good up to which generation, unless its name is in use again', () => {
    const index = new PlacedIndex();
    index.take(channel('a', [replica('n1')]));
    index.report('n1', [held('a')]);
    index.take(channel('a', [replica('n1')], { isGone: true, generation: 6 }));
    expect(index.stateOf('n1')).toMatchObject({ placed: [], removed: [{ app: 'app-a', channel: 'production', generation: 6 }] });
    index.take(channel('a2', [replica('n2')], { app: 'app-a', firstGeneration: 7 }));
    expect(index.stateOf('n1')).toMatchObject({ removed: [], released: [{ app: 'app-a', firstGeneration: 7 }] });
  });

  it.each<[string, Partial<IndexedChannel>]>([
    ['the channel changes', { changed: 11n }],
    ['it is placed there anew', { placement: { generation: 6, replicas: [replica('n1', { generation: 6 })] } }],
    ['it leaves', { placement: { generation: 6, replicas: [replica('n1', { leaving: true })] } }],
  ])('has another digest when %s', (_what, change) => {
    const index = new PlacedIndex();
    index.take(channel('a', [replica('n1')]));
    const before = index.stateOf('n1').digest;
    index.take(channel('a', [replica('n1')], change));
    expect(index.stateOf('n1').digest).not.toBe(before);
  });

  it('has the same digest when the channel changes elsewhere alone', () => {
    const index = new PlacedIndex();
    index.take(channel('a', [replica('n1')]));
    const before = index.stateOf('n1').digest;
    index.take(channel('a', [replica('n1'), replica('n2', { generation: 6 })], { stamp: 11n }));
    expect(index.stateOf('n1').digest).toBe(before);
  });
});
