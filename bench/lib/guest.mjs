// One component on the engine alone: no HTTP, no processes. What a runner does for each request is done here by hand.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_RUNTIME_GRANT } from '../../dist/contract/runtime-grant.js';
import { decodeComponent } from '../../dist/engine/build/decode/component.js';
import { elideShims } from '../../dist/engine/build/link/elide-shims.js';
import { linkComponent } from '../../dist/engine/build/link/linker.js';
import { scanCode } from '../../dist/engine/build/rewrite/code-scan.js';
import { rewriteModule } from '../../dist/engine/build/rewrite/rewriter.js';
import { Program } from '../../dist/engine/run/program.js';
import { incomingRequest02, responseOutparam02 } from '../../dist/runtime/capability/http/server-02.js';
import { BytePipe } from '../../dist/runtime/capability/byte-pipe.js';
import { Ending } from '../../dist/runtime/capability/ending.js';
import { EOF } from '../../dist/runtime/capability/guest.js';
import { NO_GUEST_SETTINGS } from '../../dist/runtime/capability/guest-settings.js';
import { HostMemory } from '../../dist/runtime/capability/host-memory.js';
import { resolveHost } from '../../dist/runtime/capability/table.js';

const MEMORY_CAP_BYTES = 128 * 2 ** 20;
const BUDGET_NS = 30_000_000_000n;
/** `Edit.Check`: see build/rewrite/code-edits.ts. */
const CHECK = 1;

/** A component made ready with or without deadline checks and cards; `reset: 'full'` forbids resetting in place, `clock` stops guests. */
export function prepare(bytes, { checks = true, cards = true, reset = 'in-place', clock = stillClock(), resolve = resolveHost } = {}) {
  const started = performance.now();
  const linked = elideShims(linkComponent(decodeComponent(bytes)));
  const linkMs = performance.now() - started;
  const modules = linked.modules.map((module) => {
    const scan = scanCode(module);
    for (let e = 0; !checks && scan && e < scan.edits.length; e++) if (scan.edits.kind(e) === CHECK) scan.edits.cancel(e);
    return rewriteModule(module, { memoryCapPages: MEMORY_CAP_BYTES / 65536, cards }, scan);
  });
  const rewriteMs = performance.now() - started - linkMs;
  const compiled = modules.map((module) => new WebAssembly.Module(module.bytes));
  const compileMs = performance.now() - started - linkMs - rewriteMs;
  const plan = { ...linked.plan, modules: modules.map(({ bytes: of, ...facts }) => ({ digest: '', bytes: of.length, ...facts })) };
  if (reset === 'full') for (const module of plan.modules) module.reset = { inPlace: false, reason: 'asked for' };
  const program = new Program(plan, compiled, { resolve, clock, maxMemoryBytes: MEMORY_CAP_BYTES });
  return { program, linkMs, rewriteMs, compileMs, bytes: modules.reduce((sum, { bytes: of }) => sum + of.length, 0) };
}

function stillClock() {
  return {
    memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }),
    now: () => {
      const { user, system } = process.threadCpuUsage();
      return BigInt(user + system) * 1_000n;
    },
  };
}

class GuestState {
  stateDir = mkdtempSync(join(tmpdir(), 'whorl-bench-'));
  grant = {
    org: 'default', app: 'bench', version: 1, component: 'main', environment: [], files: [], variables: new Map(), allowedOutboundHosts: [],
    components: [], keyValueStores: [], sqliteDatabases: [], aiModels: [], stateDir: this.stateDir, orgDir: this.stateDir, runtime: NO_RUNTIME_GRANT, allowPrivateHosts: false, settings: NO_GUEST_SETTINGS,
    limits: { outboundRequests: 1_000, outboundConcurrency: 128, outboundConnections: 512 },
  };
  invocation = {
    requestId: 'bench', write: () => {}, note: () => {}, deadlineAt: Infinity, ending: new Ending(),
    stdin: null, stdout: null, args: [], environment: [], chain: () => {},
  };
  memory = new HostMemory(Infinity);
  releases = [];

  defer(release) {
    this.releases.push(release);
  }

  release() {
    for (const release of this.releases.splice(0)) release();
  }
}

class Exchange {
  scheme = 'http';
  authority = 'bench.localhost';
  status = 0;
  answer = null;

  constructor(method, path, headers, body) {
    this.method = method;
    this.pathWithQuery = path;
    this.headers = headers;
    const pipe = new BytePipe();
    if (body) pipe.write(body);
    pipe.end();
    this.body = pipe;
  }

  respond(status) {
    this.status = status;
    return (this.answer = new BytePipe());
  }
}

/** A slot of a program, and requests to it. */
export class Guest {
  constructor(program) {
    this.state = new GuestState();
    this.iface = program.findExport('wasi:http/incoming-handler@0.2');
    this.slot = program.newSlot(this.state);
    this.slot.instantiate(BUDGET_NS);
  }

  /** Answers one request and gives the status; the body is read to its end meanwhile. */
  handle({ method = 'GET', path = '/', headers = [['host', 'bench.localhost']], body = null, cpuMs = null } = {}) {
    const exchange = new Exchange(method, path, headers, body);
    this.slot.setBudget(cpuMs === null ? BUDGET_NS : BigInt(cpuMs) * 1_000_000n);
    return new Promise((resolve, reject) => {
      this.slot.start(this.iface, 'handle', [incomingRequest02(exchange), responseOutparam02(exchange)], {
        result: () => {},
        exit: () => {
          while (exchange.answer && exchange.answer.read(65536) instanceof Uint8Array);
          resolve(exchange.status);
        },
        fail: reject,
      });
      const { answer } = exchange;
      if (answer) answer.onReadable = () => { while (![null, EOF].includes(answer.read(65536))); };
    });
  }

  /** What capabilities deferred to the end of the request. */
  release() {
    this.state.release();
  }

  reset() {
    this.slot.reset();
  }

  instantiate() {
    this.slot.instantiate(BUDGET_NS);
  }

  close() {
    rmSync(this.state.stateDir, { recursive: true, force: true });
  }
}
