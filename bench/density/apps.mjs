// Assignments of many apps whose bytes all differ, made from one built component.
import { buildComponent } from '../../dist/engine/build/build-component.js';
import { ENGINE_VERSION } from '../../dist/engine/plan.js';
import { withSection } from '../lib/components.mjs';
import { digestOf } from './control-plane.mjs';

const MEMORY_CAP_BYTES = 128 * 2 ** 20;

/** Builds once; the function it gives makes the build of the component's `n`th copy, which shares no blob with another. */
export async function copies(control, wasm) {
  const built = await buildComponent(wasm, { memoryCapBytes: MEMORY_CAP_BYTES });
  return (n) => {
    const modules = built.modules.map((bytes) => withSection(bytes, `copy ${n}`));
    const plan = { ...built.plan, modules: built.plan.modules.map((facts, i) => ({ ...facts, digest: digestOf(modules[i]), bytes: modules[i].length })) };
    return {
      engine: ENGINE_VERSION, component: digestOf(Buffer.from(`${digestOf(wasm)} ${n}`)), plan: control.put(Buffer.from(JSON.stringify(plan))),
      modules: modules.map((bytes) => control.put(bytes)), handlers: built.handlers, imports: built.imports, exports: built.exports, componentized: built.componentized,
    };
  };
}

export function assignment(app, generation, build, isServed) {
  const component = {
    id: 'main', source: build.component, sourceBytes: 1, environment: {}, files: [], variables: {}, allowedOutboundHosts: [], keyValueStores: [], sqliteDatabases: [],
    aiModels: [], limits: {},
  };
  const trigger = { type: 'http', id: 'all', route: '/...', executor: { type: 'http' }, component: 'main' };
  const artifact = {
    version: 1, digest: digestOf(Buffer.from(`${app} ${build.component}`)), builds: { main: build },
    app: { name: app, version: '1.0.0', description: '', authors: [], variables: {}, triggers: [trigger], components: [component] },
  };
  return {
    org: 'default', app, channel: 'production', generation, hosts: [`${app}.localhost`], serve: isServed ? [{ version: 1, percent: 100 }] : [],
    versions: [artifact], variables: {}, variablesRevision: 1,
  };
}
