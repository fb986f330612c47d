import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { get } from '../../bench/lib/load.mjs';
import { type Platform, startPlatform } from '../../bench/lib/platform.mjs';
import { packBundle } from '#contract/bundle/pack.js';
import { composedManifest, jsLib, lib, tellingRoot } from '../fixtures/composed.js';

/** Apps put together of components, on the whole platform. Runs what `npm run build` made. */

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
}, 120_000);
afterAll(() => platform?.stop(), 60_000);

async function push(app: string, manifest: string, library: Uint8Array | Promise<Uint8Array> = lib()): Promise<Record<string, unknown>> {
  const files = { 'spin.toml': Buffer.from(manifest), 'root.wasm': await tellingRoot(), 'lib.wasm': await library };
  return platform.push(app, await packBundle(Object.entries(files).map(([path, content]) => ({ path, content }))));
}
const bodyOf = async (app: string): Promise<string> => {
  const { status, body } = await get({ port: platform.httpPort, host: `${app}.localhost`, path: '/', timeoutMs: 30_000 });
  expect(status).toBe(200);
  return body;
};

describe('an app whose component calls a dependency', () => {
  it('does not give it what it does not inherit, and lets it use a stream that it is handed', async () => {
    await push('denied', composedManifest('"acme:lib" = { path = "lib.wasm" }', 'environment = { TOKEN = "x" }'));
    for (let i = 0; i < 3; i++) expect(await bodyOf('denied')).toBe('not permitted says lib\n');
    const { components } = await platform.call('GET', '/v1/apps/denied/versions/1');
    expect(components[0].dependencies).toMatchObject([{ name: 'acme:lib', denied: ['fermyon:spin/variables@2.0.0', 'wasi:cli/environment@0.2.6'] }]);
  });

  it('gives it what it inherits', async () => {
    await push('inherited', composedManifest('"acme:lib" = { path = "lib.wasm", inherit_configuration = true }'));
    expect(await bodyOf('inherited')).toBe('tulip says lib\n');
    await push('environment', composedManifest('"acme:lib" = { component = "lib", inherit_configuration = ["environment"] }', 'environment = { TOKEN = "x" }') + '[component.lib]\nsource = "lib.wasm"\n');
    expect(await bodyOf('environment')).toBe('environment says lib\n');
  });

  it('runs one made of JavaScript as well', async () => {
    const library = await jsLib();
    await push('js-denied', composedManifest('"acme:lib" = { path = "lib.wasm" }'), library);
    expect(await bodyOf('js-denied')).toBe('undefined says js\n');
    await push('js-inherited', composedManifest('"acme:lib" = { path = "lib.wasm", inherit_configuration = ["variables"] }'), library);
    for (let i = 0; i < 3; i++) expect(await bodyOf('js-inherited')).toBe('tulip says js\n');
  }, 120_000);
});
