import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { buildWat } from '../../fixtures/build-wat.js';
import { bundleOf, inChunks, openRegistry, type RegistryUnderTest } from '../registry-fixture.js';

let under: RegistryUnderTest;
beforeAll(async () => {
  under = await openRegistry();
});
afterAll(() => under.close());

it('builds nothing of a source that was damaged by a byte in the store', async () => {
  const never = new AbortController().signal;
  const { app } = await under.registry.ingest(inChunks(await bundleOf(await buildWat('loop'))), never);
  const hex = app.components[0]!.source.slice('sha256:'.length);
  const store = join(under.root, 'store');
  const file = (await readdir(store, { recursive: true })).find((path) => path.endsWith(hex) && !path.includes('partial'))!;
  const bytes = await readFile(join(store, file));
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(join(store, file), bytes);
  await expect(under.registry.rebuild(app, never)).rejects.toMatchObject({ code: 'REGISTRY_BLOB_MISMATCH', message: expect.stringContaining(hex) });
});
