// Writes dist/runtime/trigger/warm-up/: the example tiny-wat, built as the registry builds any app, with which runners warm up before they
// accept requests. To be run with the project's Node.js when the platform is compiled.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { at } from './paths.mjs';

const { buildComponent } = await import('../../dist/engine/build/build-component.js');
const { ENGINE_VERSION } = await import('../../dist/engine/plan.js');

const MEMORY_CAP_BYTES = 2 ** 20;
const dir = at('dist/runtime/trigger/warm-up');
rmSync(dir, { recursive: true, force: true });
mkdirSync(dir, { recursive: true });

/** Keeps a blob; its digest. */
function put(bytes) {
  const digest = digestOf(bytes);
  writeFileSync(join(dir, digest.replace(':', '-')), bytes);
  return digest;
}

const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const json = (value) => Buffer.from(JSON.stringify(value));

const wit = readFileSync(at('examples/tiny-wat/wit/tiny.wit'), 'utf8');
const binary = await parse(readFileSync(at('examples/tiny-wat/tiny.wat'), 'utf8'));
const wasm = await componentNew(await componentEmbed({ binary, witSource: wit, world: 'tiny' }), []);
const { plan, modules, handlers, imports, exports, componentized } = await buildComponent(wasm, { memoryCapBytes: MEMORY_CAP_BYTES });
const source = digestOf(wasm);
const build = { engine: ENGINE_VERSION, component: source, plan: put(json(plan)), modules: modules.map(put), handlers, imports, exports, componentized };
const artifact = {
  version: 1,
  digest: source,
  app: {
    name: 'warm-up', version: '1', description: '', authors: [], variables: {},
    triggers: [{ type: 'http', id: 'all', route: '/...', executor: { type: 'http' }, component: 'main' }],
    components: [{
      id: 'main', source, sourceBytes: wasm.length, environment: {}, files: [], variables: {}, allowedOutboundHosts: [], keyValueStores: [], sqliteDatabases: [],
      aiModels: [], limits: {},
    }],
  },
  builds: { main: build },
};
writeFileSync(join(dir, 'stored.json'), json({ version: 1, digest: source, artifact: put(json(artifact)) }));
