// Upload of a bundle to the first 200 of the new version, everything local. Each round sends bytes never seen before.
import { performance } from 'node:perf_hooks';
import { helloJsBundle, tinyBundle } from './lib/bundles.mjs';
import { get, percentiles } from './lib/load.mjs';

export async function deploy(platform, { rounds = 15 } = {}) {
  const rows = [];
  for (const [name, make, targetMs] of [['hello-js', helloJsBundle, 1500], ['tiny-wat', tinyBundle, 300]]) {
    const app = `bench-${name}`;
    const times = [];
    for (let round = 0; round <= rounds; round++) {
      const text = `round ${round}`;
      const bundle = await make(text);
      const start = performance.now();
      await platform.push(app, bundle);
      const ask = (path) => get({ port: platform.httpPort, host: `${app}.localhost`, path, timeoutMs: 10_000 });
      while (JSON.parse((await ask('/.well-known/spin/info')).body).version !== text);
      const answer = await ask('/');
      if (answer.status !== 200) throw new Error(`${app}: ${answer.status}`);
      if (round > 0) times.push(performance.now() - start); // the first round pays for the build worker's start
    }
    rows.push({ what: `deploy ${name}: upload to first 200 of the new version, ms`, ...percentiles(times), target: `p50 < ${targetMs}`, ok: percentiles(times).p50 < targetMs });
  }
  return rows;
}
