import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { get } from '../../bench/lib/load.mjs';
import { startPlatform, type Platform } from '../../bench/lib/platform.mjs';
import { packBundle } from '#contract/bundle/pack.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import { buildWat } from '../fixtures/build-wat.js';

const ROOT = join(import.meta.dirname, '../..');
const NEXT = String(Number(ENGINE_VERSION) + 1);

/** What `npm run build` made, but with the next version of the engine: a release to come. */
function nextRelease(folder: string): string {
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  for (const name of ['prisma', 'package.json']) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const plan = join(folder, 'dist/engine/plan.js');
  const text = readFileSync(plan, 'utf8');
  const changed = text.replace(`ENGINE_VERSION = '${ENGINE_VERSION}'`, `ENGINE_VERSION = '${NEXT}'`);
  if (changed === text) throw new Error('no ENGINE_VERSION found');
  writeFileSync(plan, changed);
  return folder;
}

describe('an upgrade to a release with another engine', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'whorl-upgrade-'));
  const release = mkdtempSync(join(tmpdir(), 'whorl-next-'));
  let platform: Platform;

  const call = () => get({ port: platform.httpPort, host: 'kept.localhost', path: '/ok', timeoutMs: 10_000 });
  const view = () => platform.call('GET', '/v1/apps/kept/versions/1');

  beforeAll(async () => {
    platform = await startPlatform({ dataDir });
    const manifest = 'spin_manifest_version = 2\n[application]\nname = "kept"\n[[trigger.http]]\nroute = "/..."\ncomponent = "main"\n[component.main]\nsource = "app.wasm"\n';
    await platform.push('kept', await packBundle([{ path: 'spin.toml', content: Buffer.from(manifest) }, { path: 'app.wasm', content: await buildWat('loop') }]));
  }, 120_000);
  afterAll(async () => {
    await platform?.stop();
    rmSync(dataDir, { recursive: true, force: true });
    rmSync(release, { recursive: true, force: true });
  }, 60_000);

  it('says of a version what it is built for, and how its instances are reset', async () => {
    expect(await view()).toMatchObject({
      builds: [{ engine: ENGINE_VERSION, state: 'built' }],
      components: [{ id: 'main', engine: ENGINE_VERSION, handlers: ['wasi-http-0.2'], reset: { mode: 'in-place', cards: true }, memory: { initialBytes: 65536 } }],
    });
  });

  it('serves the same version from builds of its own, made without anybody asking', async () => {
    expect(await call()).toMatchObject({ status: 200, body: 'ok\n' });
    await platform.stop();
    platform = await startPlatform({ dataDir, root: nextRelease(release) });
    let answer = await call();
    for (let tries = 0; answer.status !== 200 && tries < 200; tries++) {
      expect(answer.status).toBe(503);
      await new Promise((resolve) => setTimeout(resolve, 50));
      answer = await call();
    }
    expect(answer).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await view()).toMatchObject({
      version: 1, state: 'serving', components: [{ engine: NEXT }],
      builds: [{ engine: NEXT, state: 'built' }, { engine: ENGINE_VERSION, state: 'built' }],
    });
  });
});
