// `node bench/registry/pull.mjs [rounds]`: how long a cold node takes to have an app of 12 MB on its disk, beside a plain copy of the same bytes over
// loopback. Needs `npm run build` and `node examples/hello-js/build.mjs` before.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { ROOT, startPlatform } from '../lib/platform.mjs';
import { median } from '../lib/statistics.mjs';

const ROUNDS = 25;
const MAX_RATIO = 1.5;
/** As many as a node fetches at the same time. */
const PARALLEL = 8;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** What is measured against: a process of its own that hands out files and does nothing else. */
const SERVER = `
  const { createReadStream, statSync } = require('node:fs');
  require('node:http').createServer((request, response) => {
    const path = process.argv[1] + request.url;
    response.writeHead(200, { 'content-length': statSync(path).size });
    createReadStream(path, { highWaterMark: 256 * 1024 }).pipe(response);
  }).listen(0, '127.0.0.1', function () { process.send(this.address().port); });`;


async function timed(work) {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** Row for the table of targets, and all figures. */
export async function pull({ rounds = ROUNDS } = {}) {
  const { ControlPlaneClient } = await import('../../dist/runtime/node/control-plane.client.js');
  const { BlobCache } = await import('../../dist/runtime/node/blob-cache.js');
  const { blobsOf, fetchArtifact } = await import('../../dist/runtime/node/artifact-blobs.js');
  const platform = await startPlatform();
  const work = await mkdtemp(join(tmpdir(), 'whorl-pull-'));
  const agent = new Agent({ connections: 16 });
  let client;
  let server;
  try {
    await platform.push('hello-js', await readFile(join(ROOT, 'examples/hello-js/hello-js.tar.gz')));
    const token = (await readFile(join(platform.dir, 'secrets/node-token'), 'utf8')).trim();
    client = new ControlPlaneClient({ url: platform.api, token, node: 'cold' });
    const { assignments } = await client.assignments(undefined, 0, AbortSignal.timeout(10_000));
    const artifact = assignments.find(({ app }) => app === 'hello-js').versions[0];
    const cold = async (dir) => {
      const cache = await BlobCache.open({ dir, fetch: (digest) => client.blob(digest), log: SILENT });
      await fetchArtifact(cache, artifact);
      return cache;
    };

    const warm = await cold(join(work, 'source'));
    const paths = [...blobsOf(artifact)].map((digest) => warm.path(digest));
    const bytes = (await Promise.all(paths.map((path) => stat(path)))).reduce((sum, { size }) => sum + size, 0);
    server = spawn(process.execPath, ['-e', SERVER, ''], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const port = await new Promise((resolve) => server.once('message', resolve));
    const plain = async (dir) => {
      await mkdir(dir);
      const left = paths.entries();
      await Promise.all(Array.from({ length: PARALLEL }, async () => {
        for (const [i, path] of left) {
          const { body } = await request(`http://127.0.0.1:${port}${path}`, { dispatcher: agent });
          await pipeline(body, createWriteStream(join(dir, `${i}`)));
        }
      }));
    };

    const ways = { plain, cold };
    const times = { plain: [], cold: [] };
    for (let round = -3; round < rounds; round++) {
      for (const way of Object.keys(ways)) {
        const dir = join(work, `${way}-${round}`);
        const ms = await timed(() => ways[way](dir));
        if (round >= 0) times[way].push(ms);
        await rm(dir, { recursive: true });
      }
    }
    const [plainMs, coldMs] = [median(times.plain), median(times.cold)];
    const ratio = coldMs / plainMs;
    const figures = { bytes, blobs: paths.length, plainMs, coldMs, ratio };
    const note = `${coldMs.toFixed(1)} ms; ${(bytes / 1e6).toFixed(1)} MB in ${paths.length} blobs, each hashed; a plain copy over loopback takes ${plainMs.toFixed(1)} ms`;
    return { rows: [{ what: 'a cold node gets an app of 12 MB: times a plain copy', value: ratio, target: `< ${MAX_RATIO}`, ok: ratio < MAX_RATIO, note }], figures };
  } finally {
    server?.kill();
    await client?.close();
    await agent.close();
    await platform.stop();
    await rm(work, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { rows, figures } = await pull({ rounds: Number(process.argv[2] ?? ROUNDS) });
  const { targetTable } = await import('../throughput/report.mjs');
  console.log(targetTable(rows));
  console.log(JSON.stringify(figures));
  console.log(`\n${cpus().length} x ${cpus()[0].model}, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`);
  process.exitCode = rows.every(({ ok }) => ok) ? 0 : 1;
}
