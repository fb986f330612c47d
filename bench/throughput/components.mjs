// The components that are measured, and bundles of them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { packBundle } from '../../dist/contract/bundle/pack.js';
import { ROOT } from '../lib/platform.mjs';

const file = (path, encoding) => readFile(join(ROOT, path), encoding);

/** A handler of wasi:http 0.3.0 from the tests' fixtures. */
async function handler03(name) {
  const [wat, witSource] = await Promise.all([file(`test/fixtures/wat/${name}.wat`, 'utf8'), file('test/fixtures/wit/http-03.wit', 'utf8')]);
  return componentNew(await componentEmbed({ binary: await parse(wat), witSource, world: 'http-03' }), []);
}

/** What the rows call them, and how they are got. */
export const COMPONENTS = {
  tiny: () => file('examples/tiny-wat/tiny-wat.wasm'),
  json: () => file('bench/components/json-rs/json-rs.wasm'),
  js: () => file('examples/hello-js/hello-js.wasm'),
  'hello-03': () => handler03('hello-03'),
  'echo-03': () => handler03('echo-03'),
};

/** A bundle of one component, all routes its own; `settings`: more lines of its manifest. */
export function bundleOf(component, settings = '') {
  const manifest = `spin_manifest_version = 2
application = { name = "bench", version = "1.0.0" }
[[trigger.http]]
route = "/..."
component = "bench"
[component.bench]
source = "bench.wasm"
${settings}`;
  return packBundle([{ path: 'spin.toml', content: Buffer.from(manifest) }, { path: 'bench.wasm', content: component }]);
}
