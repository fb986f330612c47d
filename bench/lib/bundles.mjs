// Bundles of one component. Those made of a `text` hold bytes that no platform has seen before: each text makes another digest, and is
// what the app says its version is.
import { packBundle } from '../../dist/contract/bundle/pack.js';
import { COMPONENTS, loopComponent, tinyComponent, withSection } from './components.mjs';

/** All routes are the component's own; `settings`: more lines of its manifest. */
export function bundleOf(component, { version = '1.0.0', settings = '' } = {}) {
  const manifest = `spin_manifest_version = 2
application = { name = "bench", version = "${version}" }
[[trigger.http]]
route = "/..."
component = "bench"
[component.bench]
source = "bench.wasm"
${settings}`;
  return packBundle([{ path: 'spin.toml', content: Buffer.from(manifest) }, { path: 'bench.wasm', content: component }]);
}

/** Answers `text`, at most 16 ASCII characters. */
export const tinyBundle = async (text) => bundleOf(await tinyComponent(text), { version: text });

export const loopBundle = async () => bundleOf(await loopComponent());

/** The 12 MB JavaScript app. Its answers do not change. */
export const helloJsBundle = async (text) => bundleOf(withSection(await COMPONENTS.js(), text), { version: text });
