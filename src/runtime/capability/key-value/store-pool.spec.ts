import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from './store.js';
import { closeStores, StorePlace } from './store-pool.js';

const dir = mkdtempSync(join(tmpdir(), 'whorl-pool-'));
afterEach(async () => {
  await closeStores();
  rmSync(dir, { recursive: true, force: true });
});

describe(StorePlace.name, () => {
  it('shares one store among places of one key, and opens it again when it was closed', async () => {
    let opened = 0;
    const open = () => {
      opened += 1;
      return openFileStore(join(dir, 'one.sqlite'));
    };
    const [a, b] = [new StorePlace('one', open), new StorePlace('one', open)];
    expect(a.isOpen).toBe(false);
    expect(a.store()).toBe(b.store());
    expect(opened).toBe(1);
    await closeStores();
    expect(a.isOpen).toBe(false);
    a.store().set('k', new Uint8Array(1));
    expect(opened).toBe(2);
  });

  it('closes the one unused for longest when too many are open', () => {
    const places = Array.from({ length: 130 }, (_, i) => new StorePlace(`${i}`, () => openFileStore(join(dir, `${i}.sqlite`))));
    for (const place of places) place.store();
    expect(places.filter((place) => place.isOpen)).toHaveLength(128);
    expect(places[129]!.isOpen).toBe(true);
  });
});
