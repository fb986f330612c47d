// Rollback under load: from the call to the last answer of the version rolled back from, and failed requests.
import { performance } from 'node:perf_hooks';
import { tinyBundle } from './lib/bundles.mjs';
import { load, percentiles } from './lib/load.mjs';

export async function rollback(platform, { rounds = 5, requests = 2000, concurrency = 50 } = {}) {
  const app = 'bench-rollback';
  await platform.push(app, await tinyBundle('first'));
  await platform.push(app, await tinyBundle('second'));
  const last = [];
  let failed = 0;
  let late = 0;
  for (let round = 0; round < rounds; round++) {
    const [from, to] = round % 2 === 0 ? ['second', 'first'] : ['first', 'second'];
    let seen = 0;
    let called;
    let answered;
    const rows = await load({
      port: platform.httpPort, host: `${app}.localhost`, concurrency, total: requests,
      onResult: () => {
        if (++seen !== Math.floor(requests / 4)) return;
        called = performance.now();
        answered = platform.call('POST', `/v1/apps/${app}/rollback`).then(() => performance.now());
      },
    });
    const answeredAt = await answered;
    failed += rows.filter((row) => row.status !== 200 || !(row.body.includes(from) || row.body.includes(to))).length;
    const old = rows.filter((row) => row.body.includes(from)).map((row) => row.at);
    late += old.filter((at) => at > answeredAt).length;
    last.push(Math.max(...old) - called);
  }
  const figures = percentiles(last);
  return [
    { what: `rollback: call to last old answer, ${concurrency} concurrent, ms`, ...figures, target: 'max < 200', ok: figures.max < 200 },
    { what: `rollback: failed of ${rounds * requests} requests`, p50: failed, p99: failed, max: failed, target: '0', ok: failed === 0 },
    { what: 'rollback: old answers after the call had answered', p50: late, p99: late, max: late, target: '0', ok: late === 0 },
  ];
}
