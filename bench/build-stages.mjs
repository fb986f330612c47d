/**
 * What building a component consists of: `node bench/build-stages.mjs [component.wasm] [rounds]` (needs `npm run build`). CPU milliseconds of
 * this process for each step, medians; the same steps as src/engine/build/build-component.ts takes. docs/adr/0013 rests on it.
 */
import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { decodeComponent } from '../dist/engine/build/decode/component.js';
import { elideShims } from '../dist/engine/build/link/elide-shims.js';
import { linkComponent } from '../dist/engine/build/link/linker.js';
import { scanCode } from '../dist/engine/build/rewrite/code-scan.js';
import { proveReset } from '../dist/engine/build/rewrite/reset-proof.js';
import { rewriteModule } from '../dist/engine/build/rewrite/rewriter.js';
import { median } from './lib/statistics.mjs';

const MEMORY_CAP_PAGES = 65_536;
const [file = 'examples/hello-js/hello-js.wasm', rounds = '7'] = process.argv.slice(2);
const bytes = await readFile(file);
const times = new Map();
const sizes = {};

function timed(name, work) {
  const cpu = process.cpuUsage();
  const wall = performance.now();
  const result = work();
  const { user, system } = process.cpuUsage(cpu);
  const entry = times.get(name) ?? { cpuMs: [], wallMs: [] };
  entry.cpuMs.push((user + system) / 1000);
  entry.wallMs.push(performance.now() - wall);
  times.set(name, entry);
  return result;
}

for (let round = 0; round < Number(rounds); round++) {
  const component = timed('decode and validate', () => decodeComponent(bytes));
  const linked = timed('link', () => elideShims(linkComponent(component)));
  const used = [...new Set(linked.plan.steps.map(({ module }) => module))].map((number) => linked.modules[number]);
  const scans = timed('walk over the code (both need it)', () => used.map((module) => scanCode(module)));
  timed('reset proof', () => used.every((module, i) => proveReset(module, scans[i]).inPlace));
  const rewrite = (cards) => used.map((module, i) => rewriteModule(module, { memoryCapPages: MEMORY_CAP_PAGES, cards }, scans[i]));
  const simple = timed('rewrite: memory and deadline', () => rewrite(false));
  const marked = timed('rewrite: memory, deadline and cards', () => rewrite(true));
  for (const [name, modules] of [['simple', simple], ['with cards', marked]]) {
    sizes[name] = modules.reduce((sum, module) => sum + module.bytes.length, 0);
    timed(`digest, ${name}`, () => modules.forEach((module) => createHash('sha256').update(module.bytes).digest()));
    timed(`V8 compile, ${name}`, () => modules.map((module) => new WebAssembly.Module(module.bytes)));
  }
}

process.stdout.write(`${file}: ${bytes.length} bytes; rewritten ${sizes.simple} simple, ${sizes['with cards']} with cards\n\n| step | CPU ms | wall ms | first, wall ms |\n|---|---|---|---|\n`);
for (const [name, { cpuMs, wallMs }] of times) {
  process.stdout.write(`| ${name} | ${median(cpuMs).toFixed(0)} | ${median(wallMs).toFixed(0)} | ${wallMs[0].toFixed(0)} |\n`);
}
