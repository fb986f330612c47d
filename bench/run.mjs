// `npm run bench [-- name…]`: tables and bench/results/latest.json. Builds what it needs; starts platforms of its own.
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { ROOT, startPlatform } from './lib/platform.mjs';
import { targetTable } from './throughput/report.mjs';

// Each is the function of its name in the file of its name, read when the platform is built: some import it.
/** These share a platform; their rows have p50, p99 and max. */
const PLATFORM = ['deploy', 'rollback', 'runaway'];
/** As those, but needs no platform. */
const ENGINE = ['deadline'];
/** These start what they need; their rows have one value. */
const ALONE = ['throughput', 'density', 'key-value', 'sqlite', 'outbound', 'pull', 'storage'];
/** Those in a folder of their stage. */
const FOLDERS = { pull: 'registry/', storage: 'registry/' };
const known = [...PLATFORM, ...ENGINE, ...ALONE];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`unknown benchmark: ${unknown.join(', ')}; known: ${known.join(', ')}`);
  process.exit(1);
}
const chosen = (benchmarks) => benchmarks.filter((name) => wanted.length === 0 || wanted.includes(name));
const load = async (name) => (await import(`./${FOLDERS[name] ?? ''}${name}.mjs`))[name];
execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), 'hello-js', 'tiny-wat'], { stdio: 'inherit' });

const rows = [];
if (chosen(PLATFORM).length > 0) {
  const platform = await startPlatform();
  try {
    for (const name of chosen(PLATFORM)) rows.push(...(await (await load(name))(platform)));
  } finally {
    await platform.stop();
  }
}
for (const name of chosen(ENGINE)) rows.push(...(await (await load(name))()));
const targets = [];
const figures = {};
for (const name of chosen(ALONE)) {
  const result = await (await load(name))();
  targets.push(...result.rows);
  figures[name] = result.figures;
}

const figure = (value) => (Number.isInteger(value) ? `${value}` : value.toFixed(1));
if (rows.length > 0) console.log('\n| what | p50 | p99 | max | target | |\n|---|--:|--:|--:|---|---|');
for (const row of rows) console.log(`| ${row.what} | ${figure(row.p50)} | ${figure(row.p99)} | ${figure(row.max)} | ${row.target} | ${row.ok ? 'pass' : 'short'} |`);
if (targets.length > 0) console.log(targetTable(targets));
const machine = `${cpus().length} x ${cpus()[0].model}, Node ${process.version}`;
console.log(`\n${machine}`);
await mkdir(join(ROOT, 'bench/results'), { recursive: true });
await writeFile(join(ROOT, 'bench/results/latest.json'), `${JSON.stringify({ at: new Date().toISOString(), machine, rows, targets, figures }, null, 2)}\n`);
process.exitCode = [...rows, ...targets].every(({ ok }) => ok) ? 0 : 1;
