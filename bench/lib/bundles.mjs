// Bundles whose bytes no platform has seen before: each call's `text` makes another component and another digest.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { packBundle } from '../../dist/contract/bundle/pack.js';
import { ROOT } from './platform.mjs';

const manifest = (text) => `spin_manifest_version = 2
application = { name = "bench", version = "${text}" }
[[trigger.http]]
route = "/..."
component = "bench"
[component.bench]
source = "bench.wasm"
`;

const bundleOf = async (text, component) => ({
  text,
  bundle: await packBundle([
    { path: 'spin.toml', content: Buffer.from(manifest(text)) },
    { path: 'bench.wasm', content: component },
  ]),
});

async function fromWat(path, edit, { wit = 'examples/tiny-wat/wit/tiny.wit', world = 'tiny' } = {}) {
  const [wat, witSource] = await Promise.all([readFile(join(ROOT, path), 'utf8'), readFile(join(ROOT, wit), 'utf8')]);
  return componentNew(await componentEmbed({ binary: await parse(edit(wat)), witSource, world }), []);
}

/** A component of a few kB that answers `text` (at most 16 ASCII characters). */
export async function tinyBundle(text) {
  return bundleOf(text, await fromWat('examples/tiny-wat/tiny.wat', (wat) => wat.replace('hello from tiny 1', text.padEnd(17))));
}

/** Loops for ever on /loop, traps on /trap. */
export const loopComponent = () => fromWat('test/fixtures/wat/loop.wat', (wat) => wat);

/** Asks the component `back` and waits for its answer on a stack of its own. */
export const forwardComponent = () => fromWat('test/fixtures/wat/forward-02.wat', (wat) => wat, { wit: 'test/fixtures/wit/http-02.wit', world: 'http-02' });

export async function loopBundle() {
  return bundleOf('loop', await loopComponent());
}

/** The 12 MB JavaScript app, made a new component by a custom section that holds `text`. Its answers do not change. */
export async function helloJsBundle(text) {
  const component = await readFile(join(ROOT, 'examples/hello-js/hello-js.wasm')).catch(() => {
    throw new Error('examples/hello-js is not built: node examples/hello-js/build.mjs');
  });
  const payload = Buffer.from(`\x05bench${text}`, 'latin1');
  if (payload.length > 127) throw new Error('text too long');
  return bundleOf(text, Buffer.concat([component, Buffer.from([0, payload.length]), payload]));
}
