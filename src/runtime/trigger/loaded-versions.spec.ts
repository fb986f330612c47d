import { describe, expect, it } from '@jest/globals';
import { LoadedVersions, type Unloadable } from './loaded-versions.js';

const gone: string[] = [];

function setUp(bounds: Partial<ConstructorParameters<typeof LoadedVersions>[0]> = {}, rssBytes = 0) {
  gone.length = 0;
  let collections = 0;
  const loaded = new LoadedVersions({ idleAfterMs: 100, maxLoaded: 10, memoryBytes: 1_000, ...bounds }, { rssBytes: () => rssBytes, collect: () => collections++ });
  const add = (app: string, usedAtMs: number, inUse = false): void => {
    const version: Unloadable = {
      lane: { app, channel: 'production' } as Unloadable['lane'],
      usedAtMs,
      unload: () => {
        if (inUse) return false;
        gone.push(`${app} ${usedAtMs}`);
        loaded.delete(version);
        return true;
      },
    };
    loaded.add(version);
  };
  return { loaded, add, collections: () => collections };
}

describe('LoadedVersions', () => {
  it('lets go of all versions of a channel when none of them was asked for in time', () => {
    const { loaded, add, collections } = setUp();
    add('a', 10);
    add('a', 20);
    add('b', 10);
    add('b', 60);
    loaded.sweep(119);
    expect([gone, collections()]).toEqual([[], 0]);
    loaded.sweep(120);
    expect([gone, collections()]).toEqual([['a 10', 'a 20'], 1]);
    loaded.sweep(160);
    expect([loaded.size, collections()]).toEqual([0, 2]);
  });

  it('keeps what is in use, and asks again later', () => {
    const { loaded, add } = setUp();
    add('a', 0, true);
    loaded.sweep(1_000);
    expect(loaded.size).toBe(1);
  });

  it('makes room by the one not used for the longest that can go, never by the one that comes', () => {
    const { loaded, add } = setUp({ maxLoaded: 3 });
    add('busy', 1, true);
    add('old', 2);
    add('new', 3);
    add('comes', 0);
    expect([gone, loaded.size]).toEqual([['old 2'], 3]);
  });

  it('makes room for some more at the same time when many may be loaded', () => {
    const { add, collections } = setUp({ maxLoaded: 20 });
    for (let i = 1; i <= 23; i++) add(`app${i}`, i);
    expect([gone, collections()]).toEqual([['app1 1', 'app2 2', 'app3 3'], 1]);
  });

  it('goes on with more than it may have when nothing can go', () => {
    const { loaded, add } = setUp({ maxLoaded: 1 });
    add('a', 1, true);
    add('b', 2);
    expect(loaded.size).toBe(2);
  });

  it('lets go of a part at each look while memory is short', () => {
    const { loaded, add } = setUp({}, 2_000);
    for (let i = 1; i <= 8; i++) add(`app${i}`, i);
    loaded.sweep(9);
    expect(gone).toEqual(['app1 1', 'app2 2']);
    loaded.sweep(9);
    expect(gone.length).toBe(4);
  });
});
