// `npm run bench [-- name…]`: one table and bench/results/latest.json. Builds what it needs; starts a platform of its own.
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { deploy } from './deploy.mjs';
import { ROOT, startPlatform } from './lib/platform.mjs';
import { rollback } from './rollback.mjs';
import { runaway } from './runaway.mjs';

const BENCHMARKS = { deploy, rollback, runaway };
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in BENCHMARKS));
if (unknown.length > 0) {
  console.error(`unknown benchmark: ${unknown.join(', ')}; known: ${Object.keys(BENCHMARKS).join(', ')}`);
  process.exit(1);
}
execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), 'hello-js'], { stdio: 'inherit' });

const platform = await startPlatform();
const rows = [];
try {
  for (const [name, run] of Object.entries(BENCHMARKS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    rows.push(...(await run(platform)));
  }
} finally {
  await platform.stop();
}

const figure = (value) => (Number.isInteger(value) ? `${value}` : value.toFixed(1));
console.log('\n| what | p50 | p99 | max | target | |\n|---|--:|--:|--:|---|---|');
for (const row of rows) console.log(`| ${row.what} | ${figure(row.p50)} | ${figure(row.p99)} | ${figure(row.max)} | ${row.target} | ${row.ok ? 'ok' : 'MISSED'} |`);
const machine = `${cpus().length} x ${cpus()[0].model}, Node ${process.version}`;
console.log(`\n${machine}`);
await mkdir(join(ROOT, 'bench/results'), { recursive: true });
await writeFile(join(ROOT, 'bench/results/latest.json'), `${JSON.stringify({ at: new Date().toISOString(), machine, rows }, null, 2)}\n`);
process.exitCode = rows.every((row) => row.ok) ? 0 : 1;
