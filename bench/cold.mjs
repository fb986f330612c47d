// `node bench/cold.mjs [rounds]`: what the first request of an app waits for when the app is on disk and not in memory, part by part. Each
// round is a process of its own: one that has loaded nothing yet (cold), then the same component under another digest (warm: the
// engine's own code has run before). Needs `npm run build` and the examples before.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MEMORY_CAP_BYTES = 128 * 2 ** 20;
const EXAMPLES = ['tiny-wat', 'hello-js'];
const PARTS = ['plan', 'read', 'compile + digest', 'program', 'first instance', 'first request'];

/** The build of an example, and once more with other bytes of the same meaning. */
async function build(dir, name) {
  const { buildComponent } = await import('../dist/engine/build/build-component.js');
  const built = await buildComponent(new Uint8Array(readFileSync(new URL(`../examples/${name}/${name}.wasm`, import.meta.url))), { memoryCapBytes: MEMORY_CAP_BYTES });
  writeFileSync(join(dir, `${name}.plan`), JSON.stringify(built.plan));
  built.modules.forEach((module, i) => {
    writeFileSync(join(dir, `${name}.0.${i}`), module);
    // An empty custom section of one letter's name.
    writeFileSync(join(dir, `${name}.1.${i}`), Buffer.concat([module, Buffer.from([0, 2, 1, 0x78])]));
  });
  return built.modules.reduce((sum, { length }) => sum + length, 0);
}

/** One load, as a runner does it; ms by part, and for how long the thread was held at a time at the most. */
async function load(dir, name, copy) {
  const { Program } = await import('../dist/engine/run/program.js');
  const { resolveHost } = await import('../dist/runtime/capability/table.js');
  const { readBlob } = await import('../dist/runtime/component/read-blob.js');
  const { Guest } = await import('./lib/guest.mjs');
  const times = {};
  let last = performance.now();
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
  last = performance.now();
  const plan = JSON.parse((await readBlob(join(dir, `${name}.plan`))).toString('utf8'));
  mark('plan');
  const modules = await Promise.all(plan.modules.map((_, i) => readBlob(join(dir, `${name}.${copy}.${i}`))));
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
  return { times, held };
}

if (process.argv[2] === 'one') {
  const [, , , dir, name] = process.argv;
  const cold = await load(dir, name, 0);
  const warm = await load(dir, name, 1);
  process.stdout.write(JSON.stringify({ cold, warm }));
} else {
  const rounds = Number(process.argv[2] ?? 7);
  const dir = mkdtempSync(join(tmpdir(), 'whorl-cold-'));
  const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
  console.log(`${cpus().length} x ${cpus()[0].model}, node ${process.version}, load ${loadavg()[0].toFixed(1)}; medians of ${rounds} processes, ms`);
  console.log(`component | ${PARTS.join(' | ')} | sum | thread held at a time`);
  try {
    for (const name of EXAMPLES) {
      const bytes = await build(dir, name);
      const found = Array.from({ length: rounds }, () => JSON.parse(execFileSync(process.execPath, [fileURLToPath(import.meta.url), 'one', dir, name], { encoding: 'utf8' })));
      for (const state of ['cold', 'warm']) {
        const parts = PARTS.map((part) => median(found.map((round) => round[state].times[part])));
        const sum = median(found.map((round) => PARTS.reduce((total, part) => total + round[state].times[part], 0)));
        const held = median(found.map((round) => round[state].held));
        console.log(`${name}, ${(bytes / 1e6).toFixed(1)} MB, ${state} | ${[...parts, sum, held].map((ms) => ms.toFixed(1)).join(' | ')}`);
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
