// `node bench/cold.mjs [rounds]`: what the first request of an app waits for when the app is on disk and not in memory, part by part and
// without HTTP; `npm run bench -- density` has it in all. Each row's sample is from a process of its own, and rows take turns. States:
// in a process that has loaded nothing yet (new), after its warm-up (warm, as a runner is), and after another such component (again).
// Needs `npm run build` and the examples before.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { percentiles } from './lib/load.mjs';

const MEMORY_CAP_BYTES = 128 * 2 ** 20;
const NAMES = ['tiny', 'js'];
const STATES = ['new', 'warm', 'again'];
const PARTS = ['plan', 'read', 'compile + digest', 'program', 'first instance', 'first request', 'sum', 'held'];
/** What is loaded before, as `<component>.<copy>`, and what is measured. */
const LOADS = { new: (name) => [`${name}.0`], warm: (name) => ['tiny.2', `${name}.0`], again: (name) => [`${name}.1`, `${name}.0`] };
const ROUNDS = 15;
const PAUSE_MS = 300;

/** A component's build, in several copies of other bytes with the same meaning. Bytes in all. */
async function build(dir, name) {
  const { buildComponent } = await import('../dist/engine/build/build-component.js');
  const { COMPONENTS, withSection } = await import('./lib/components.mjs');
  const { plan, modules } = await buildComponent(new Uint8Array(await COMPONENTS[name]()), { memoryCapBytes: MEMORY_CAP_BYTES });
  for (const copy of [0, 1, 2]) {
    writeFileSync(join(dir, `${name}.${copy}.plan`), JSON.stringify(plan));
    modules.forEach((module, i) => writeFileSync(join(dir, `${name}.${copy}.${i}`), withSection(module, `copy ${copy}`)));
  }
  return modules.reduce((sum, { length }) => sum + length, 0);
}

/** One load, as a runner does it; ms by part. `held`: for how long the thread was held at a time at the most. */
async function load(path) {
  const { Program } = await import('../dist/engine/run/program.js');
  const { resolveHost } = await import('../dist/runtime/capability/table.js');
  const { readBlob } = await import('../dist/runtime/component/read-blob.js');
  const { Guest } = await import('./lib/guest.mjs');
  const times = {};
  const firstMs = performance.now();
  let last = firstMs;
  const mark = (part) => {
    times[part] = performance.now() - last;
    last = performance.now();
  };
  let held = 0;
  let seen = performance.now();
  let watching = true;
  const look = () => {
    held = Math.max(held, performance.now() - seen);
    seen = performance.now();
    if (watching) setImmediate(look);
  };
  look();
  const plan = JSON.parse((await readBlob(`${path}.plan`)).toString('utf8'));
  mark('plan');
  const modules = await Promise.all(plan.modules.map((_, i) => readBlob(`${path}.${i}`)));
  mark('read');
  const compiling = Promise.all(modules.map((bytes) => WebAssembly.compile(bytes)));
  for (const bytes of modules) createHash('sha256').update(bytes).digest('hex');
  const compiled = await compiling;
  mark('compile + digest');
  const clock = { memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }), now: () => 0n };
  const program = new Program(plan, compiled, { resolve: resolveHost, clock, maxMemoryBytes: MEMORY_CAP_BYTES });
  mark('program');
  const guest = new Guest(program);
  mark('first instance');
  const status = await guest.handle({});
  if (status !== 200) throw new Error(`status ${status}`);
  mark('first request');
  watching = false;
  look();
  guest.close();
  return { ...times, sum: performance.now() - firstMs, held };
}

if (process.argv[2] === 'one') {
  const [, , , dir, ...names] = process.argv;
  let found;
  for (const name of names) {
    // What the load before has left behind to be compiled or collected is no part of this one.
    await sleep(PAUSE_MS);
    found = await load(join(dir, name));
  }
  process.stdout.write(JSON.stringify(found));
} else {
  const { RUNNER_V8_FLAGS } = await import('../dist/runtime/node/runner-v8-flags.js');
  const rounds = Number(process.argv[2] ?? ROUNDS);
  const dir = mkdtempSync(join(tmpdir(), 'whorl-cold-'));
  try {
    const rows = [];
    for (const name of NAMES) {
      const bytes = await build(dir, name);
      for (const state of STATES) rows.push({ title: `${name}, ${(bytes / 1e6).toFixed(1)} MB, ${state}`, loads: LOADS[state](name), samples: [] });
    }
    const self = fileURLToPath(import.meta.url);
    for (let round = 0; round < rounds; round++) {
      for (const { loads, samples } of rows) samples.push(JSON.parse(execFileSync(process.execPath, [...RUNNER_V8_FLAGS, self, 'one', dir, ...loads], { encoding: 'utf8' })));
    }
    console.log(`${cpus().length} x ${cpus()[0].model}, node ${process.version}, load ${loadavg()[0].toFixed(1)}; p50 / p99 of ${rounds}, ms; held: the thread, at a time\n`);
    console.log(`| component | ${PARTS.join(' | ')} |\n|---|${'--:|'.repeat(PARTS.length)}`);
    for (const { title, samples } of rows) {
      const cells = PARTS.map((part) => percentiles(samples.map((sample) => sample[part]))).map(({ p50, p99 }) => `${p50.toFixed(1)} / ${p99.toFixed(1)}`);
      console.log(`| ${title} | ${cells.join(' | ')} |`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
