// `node bench/registry/storage.mjs [rounds]`: a blob of 100 MB pushed through BlobStorage, in a folder and in an object store, beside what disk and store do
// by themselves. Each push is a process of its own; all kinds take turns. Needs `npm run build` before, and for the object store Debian's radosgw.
import { execFileSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import '../lib/typescript.mjs';

const BYTES = 100 * 1000 * 1000;
const ROUNDS = 7;
const MAX_GROWN_BYTES = 64 * 1024 * 1024;
const MIN_RATIO = 0.5;
const CHILD = fileURLToPath(new URL('push-blob.mjs', import.meta.url));

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function push(settings) {
  return JSON.parse(execFileSync(process.execPath, ['--expose-gc', CHILD, JSON.stringify(settings)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

/** The first way is what the others are measured against. */
function measure(store, ways, settings, rounds) {
  const runs = new Map(ways.map((way) => [way, []]));
  for (let round = 0; round < rounds; round++) for (const way of ways) runs.get(way).push(push({ ...settings, way }));
  const bareMs = median(runs.get(ways[0]).map(({ ms }) => ms));
  return ways.map((way) => {
    const ms = median(runs.get(way).map((run) => run.ms));
    return { store, way, mbPerSecond: BYTES / 1000 / ms, ratio: bareMs / ms, cpuMs: median(runs.get(way).map((run) => run.cpuMs)), grownBytes: Math.max(...runs.get(way).map((run) => run.grownBytes)) };
  });
}

/** Rows for the table of targets, and all figures. */
export async function storage({ rounds = ROUNDS } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'whorl-bench-'));
  const { startS3 } = await import('../../test/fixtures/servers/s3.ts');
  const server = await startS3();
  try {
    const content = randomFillSync(Buffer.alloc(BYTES));
    const blob = { digest: `sha256:${createHash('sha256').update(content).digest('hex')}`, bytes: BYTES };
    const file = join(dir, 'content');
    writeFileSync(file, content, { flush: true });
    const folder = join(dir, 'store');
    mkdirSync(folder);
    const figures = measure('folder', ['bare disk', 'put', 'upload', 'upload in chunks'], { file, blob, folder }, rounds);
    if (server) {
      const { stop: _, ...s3 } = server;
      figures.push(...measure('object store', ['bare PUT', 'bare client', 'put', 'upload', 'upload in chunks'], { file, blob, s3 }, rounds));
    }
    const rows = figures.filter(({ way }) => way === 'put').flatMap(({ store, ratio, grownBytes, mbPerSecond }) => [
      { what: `100 MB into a ${store}: of its bare throughput`, value: ratio, target: `>= ${MIN_RATIO}`, ok: ratio >= MIN_RATIO, note: `${mbPerSecond.toFixed(0)} MB/s` },
      { what: `100 MB into a ${store}: RSS grows by, MiB`, value: grownBytes / 1024 ** 2, target: '< 64', ok: grownBytes < MAX_GROWN_BYTES, note: `most of ${rounds} pushes` },
    ]);
    return { rows, figures };
  } finally {
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

export function storageTable(figures) {
  const lines = figures.map(({ store, way, mbPerSecond, ratio, cpuMs, grownBytes }) => `| ${store} | ${way} | ${mbPerSecond.toFixed(0)} | ${ratio.toFixed(2)} | ${cpuMs.toFixed(0)} | ${(grownBytes / 1024 ** 2).toFixed(1)} |`);
  return ['\nA blob of 100 MB\n', '| store | way | MB/s | of bare | CPU ms | RSS grows by at most, MiB |\n|---|---|--:|--:|--:|--:|', ...lines].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { rows, figures } = await storage({ rounds: Number(process.argv[2] ?? ROUNDS) });
  console.log(storageTable(figures));
  const { targetTable } = await import('../throughput/report.mjs');
  console.log(targetTable(rows));
  if (!figures.some(({ store }) => store === 'object store')) console.log('\nno object store: radosgw, ceph-mon, ceph-osd and ceph-common are not installed');
  console.log(`\n${cpus().length} x ${cpus()[0].model}, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`);
  process.exitCode = rows.every(({ ok }) => ok) ? 0 : 1;
}
