// Components as a runner holds them, without HTTP, processes and a disk: the gate, the slots, the limits and the meter are the real ones.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildComponent } from '../../dist/engine/build/build-component.js';
import { NodeConfig } from '../../dist/platform/config.js';
import { NO_RUNTIME_GRANT } from '../../dist/contract/runtime-grant.js';
import { EMPTY_SOURCE } from '../../dist/runtime/capability/byte-pipe.js';
import { NO_GUEST_SETTINGS } from '../../dist/runtime/capability/guest-settings.js';
import { VariableSource } from '../../dist/runtime/capability/variables/variable-source.js';
import { Admission } from '../../dist/runtime/component/admission.js';
import { ComponentProgram } from '../../dist/runtime/component/component-program.js';
import { Deadlines } from '../../dist/runtime/component/deadlines.js';
import { ComponentGrant } from '../../dist/runtime/component/grant.js';
import { toLimits, toPlatformLimits } from '../../dist/runtime/component/limits.js';
import { ModuleCache } from '../../dist/runtime/component/module-cache.js';
import { Meter } from '../../dist/runtime/meter/meter.js';

const NODE = { WHORL_API_URL: 'http://localhost:1', WHORL_NODE_TOKEN: 'sixteen characters', WHORL_NODE_NAME: 'bench', WHORL_NODE_DIR: '/' };
const TRIGGER = 'http';

/** One runner's worth of components; `settings` are the operator's. */
export class Components {
  usage = { requests: 0, errors: 0, limits: {} };
  #dir = mkdtempSync(join(tmpdir(), 'whorl-bench-'));
  #host;
  #limits;

  constructor(clock, settings = {}) {
    this.#limits = toPlatformLimits(NodeConfig.parse({ ...NODE, ...settings }));
    this.#host = {
      lane: 'shared', clock, deadlines: new Deadlines(), admission: new Admission(this.#limits.runnerInvocations), modules: new ModuleCache((digest) => this.#path(digest)),
      meter: new Meter({ append: (records) => this.#count(records), close: () => {} }),
    };
  }

  /** Builds and loads a component; gives a function that starts an invocation of it. */
  async load(wasm, own = {}) {
    const built = await buildComponent(wasm, { memoryCapBytes: this.#limits.memoryBytes });
    const build = { ...built, plan: this.#put(Buffer.from(JSON.stringify(built.plan))), modules: built.modules.map((module) => this.#put(module)) };
    const component = {
      id: 'main', environment: {}, files: [], variables: {}, allowedOutboundHosts: ['http://back.spin.internal'], keyValueStores: [], sqliteDatabases: [], aiModels: [], limits: own,
    };
    const scope = { org: 'bench', app: 'bench', version: 1, stateDir: this.#dir, allowPrivateHosts: false, settings: NO_GUEST_SETTINGS, limits: this.#limits, blobPath: (digest) => this.#path(digest) };
    const grant = new ComponentGrant(component, ['back'], scope);
    grant.setValues(new VariableSource({}, {}, []), NO_RUNTIME_GRANT);
    const source = { org: 'bench', app: 'bench', channel: 'production', version: 1, component: 'main' };
    const program = await ComponentProgram.load(this.#host, {
      build, grant, limits: toLimits(own, this.#limits), reuse: null, meterSource: source, onStrike: () => {}, onUsed: () => {},
    });
    program.bind({ id: TRIGGER, executor: { type: 'http' } });
    return (path, { over, chain = () => {} }) => {
      const exchange = new Exchange(path);
      const run = program.invoke(TRIGGER, { exchange, requestId: 'bench', depth: 0, elsewhere: null, over: () => over(exchange), chain: (_component, called) => chain(called) });
      return run;
    };
  }

  /** Writes down what is counted, and forgets the rest. */
  close() {
    this.#host.meter.flush();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #count(records) {
    for (const { kind, requests, errors, limits = {} } of records) {
      if (kind !== 'usage') continue;
      this.usage.requests += requests;
      this.usage.errors += errors;
      for (const [code, count] of Object.entries(limits)) this.usage.limits[code] = (this.usage.limits[code] ?? 0) + count;
    }
  }

  #put(bytes) {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    writeFileSync(this.#path(digest), bytes);
    return digest;
  }

  #path(digest) {
    return join(this.#dir, digest.replace(':', '-'));
  }
}

/** A request whose answer is thrown away. */
class Exchange {
  method = 'GET';
  scheme = 'http';
  authority = 'bench.localhost';
  headers = [['host', 'bench.localhost']];
  body = EMPTY_SOURCE;
  status = 0;

  constructor(pathWithQuery) {
    this.pathWithQuery = pathWithQuery;
  }

  respond(status) {
    this.status = status;
    return { write: () => true, onDrain: null, closed: false, onClose: null, end: () => {}, abort: () => {} };
  }
}
