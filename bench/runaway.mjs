// 200 requests to an app that loops for ever, while a neighbour is called 1,000 times.
import { loopBundle, tinyBundle } from './lib/bundles.mjs';
import { load, percentiles } from './lib/load.mjs';

export async function runaway(platform, { loops = 200, requests = 1000, concurrency = 10 } = {}) {
  await platform.push('bench-loop', await loopBundle());
  await platform.push('bench-neighbour', await tinyBundle('neighbour'));
  let over = false;
  const burning = load({ port: platform.httpPort, host: 'bench-loop.localhost', path: '/loop', concurrency: loops, total: loops, until: () => over, timeoutMs: 120_000 });
  await new Promise((resolve) => setTimeout(resolve, 200)); // let the loops take hold first
  const rows = await load({ port: platform.httpPort, host: 'bench-neighbour.localhost', concurrency, total: requests, timeoutMs: 60_000 });
  over = true;
  const good = rows.filter((row) => row.status === 200).length;
  const figures = percentiles(rows.map((row) => row.ms));
  const ended = await burning;
  const answered = ended.filter((row) => row.status >= 500).length;
  return [
    { what: `neighbour of ${loops} endless loops: answered 200 of ${requests}`, p50: good, p99: good, max: good, target: `${requests}`, ok: good === requests },
    { what: 'neighbour of endless loops: latency, ms', ...figures, target: '-', ok: true },
    { what: `endless loops ended with an error by themselves, of ${loops}`, p50: answered, p99: answered, max: answered, target: `${loops}`, ok: answered === loops },
  ];
}
