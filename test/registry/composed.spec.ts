import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { packBundle } from '#contract/bundle/pack.js';
import { composedManifest, lib, tellingRoot } from '../fixtures/composed.js';
import { inChunks, openRegistry, type RegistryUnderTest } from './registry-fixture.js';

const TELL = '"acme:lib/tell@1.0.0"';

let under: RegistryUnderTest;
let root: Uint8Array;
let library: Uint8Array;
beforeAll(async () => {
  [under, root, library] = await Promise.all([openRegistry(), tellingRoot(), lib()]);
});
afterAll(() => under.close());

async function ingest(manifest: string, files: Record<string, Uint8Array> = {}) {
  const entries = { 'spin.toml': Buffer.from(manifest), 'root.wasm': root, 'lib.wasm': library, ...files };
  const bundle = await packBundle(Object.entries(entries).map(([path, content]) => ({ path, content })));
  return under.registry.ingest(inChunks(bundle), new AbortController().signal);
}

describe('a push of an app with dependencies', () => {
  it('says what each dependency gets of the host and what it is denied, and keeps its bytes', async () => {
    const { app, builds } = await ingest(composedManifest(`${TELL} = { path = "lib.wasm", inherit_configuration = ["environment"] }`));
    const build = builds['root']!;
    expect(build.dependencies).toEqual([{
      name: 'acme:lib/tell@1.0.0',
      imports: expect.arrayContaining(['wasi:cli/environment@0.2.6', 'wasi:io/streams@0.2.6']),
      denied: ['fermyon:spin/variables@2.0.0'],
    }]);
    expect(build.imports).toEqual(expect.arrayContaining(['wasi:http/types@0.2.3', 'wasi:cli/environment@0.2.6']));
    expect(build.imports).not.toContain('fermyon:spin/variables@2.0.0');
    const [dependency] = app.components[0]!.dependencies!;
    expect(dependency).toMatchObject({ inherit: ['environment'], sourceBytes: library.length });
    expect(await buffer((await under.storage.get(dependency!.source)).content)).toEqual(Buffer.from(library));
  });

  it('builds what is put together in one way once, and in another way anew', async () => {
    const plain = composedManifest(`${TELL} = { path = "lib.wasm" }`);
    const [first, again, inherited] = [await ingest(plain), await ingest(plain), await ingest(composedManifest(`${TELL} = { path = "lib.wasm", inherit_configuration = true }`))];
    expect(again.builds).toEqual(first.builds);
    expect(inherited.builds['root']!.component).not.toBe(first.builds['root']!.component);
    expect(inherited.builds['root']!.plan).not.toBe(first.builds['root']!.plan);
    expect(inherited.builds['root']!.dependencies).toMatchObject([{ denied: [] }]);
  });

  it('takes a component of the manifest as a dependency, which needs no trigger', async () => {
    const { app, warnings } = await ingest(`${composedManifest('"acme:lib" = { component = "lib" }')}[component.lib]\nsource = "lib.wasm"\n`);
    expect(app.components.map(({ id }) => id)).toEqual(['root']);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['of another version', '"acme:lib/tell@1.0.1" = { path = "lib.wasm" }', /the dependency "acme:lib\/tell@1.0.1" matches no import: .*"acme:lib\/tell@1.0.0"/],
    ['that lacks the export', '"acme:lib/tell" = { path = "lib.wasm", export = "acme:lib/other" }', /does not export "acme:lib\/other" to satisfy the import "acme:lib\/tell@1.0.0": it exports "acme:lib\/tell@1.0.0"/],
    ['of other types', '"acme:lib" = { path = "other.wasm" }', /dependency "acme:lib": "acme:lib\/tell@1.0.0#print": the function given has another type/],
  ])('refuses a dependency %s', async (_, line, message) => {
    const other = await lib((text) => text.replace('to: borrow<output-stream>', 'to: u32'));
    await expect(ingest(composedManifest(line), { 'other.wasm': other })).rejects.toMatchObject({ code: 'REGISTRY_DEPENDENCY_MISMATCH', message: expect.stringMatching(message) });
  });

  it('refuses a dependency that is no component', async () => {
    const refused = ingest(composedManifest(`${TELL} = { path = "lib.wasm" }`), { 'lib.wasm': Buffer.from('<html>') });
    await expect(refused).rejects.toMatchObject({ code: 'REGISTRY_COMPONENT_INVALID', message: expect.stringContaining('dependency "acme:lib/tell@1.0.0": neither a WebAssembly component') });
  });

  it('names the dependency that imports what nothing answers', async () => {
    const asking = await lib((text) => text.replaceAll('fermyon:spin/variables@2.0.0', 'acme:odd/variables@2.0.0').replace('fermyon:spin@2.0.0', 'acme:odd@2.0.0'));
    await expect(ingest(composedManifest(`${TELL} = { path = "lib.wasm" }`), { 'lib.wasm': asking })).rejects.toMatchObject({
      code: 'REGISTRY_IMPORT_UNKNOWN', message: expect.stringContaining('imports "acme:odd/variables@2.0.0" (by the dependency "acme:lib/tell@1.0.0")'),
    });
  });
});
