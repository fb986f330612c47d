// What it costs to answer a request of an app that is on another node: the same app asked at the node that has it, and at one that has not, in turn.
// `node bench/gateway.mjs [--rounds 5]` (after `npm run build`).
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFleet } from '../test/fleet/harness/fleet.mjs';
import { median } from './lib/statistics.mjs';
import { Load, requestBytes } from './throughput/load.mjs';
import { cpuBetweenMs, cpuMs, processTree } from './throughput/processes.mjs';

const APP = 'shop';
const MEASURE_MS = 2_000;
const CONCURRENCIES = [1, 32];
/** V8 compiles what is called often: the code of four processes is as fast as it gets only after thousands of requests, which take long while it is not. */
const WARM_REQUESTS = 12_000;
const WARM_MAX_MS = 60_000;

const { values: { rounds } } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });

/** Figures of one round at one node. CPU is that of both nodes, whoever did the work. */
async function measure(load, fleet, node, connections) {
  const pids = fleet.nodes.flatMap(({ pid }) => processTree(pid));
  let from;
  let to;
  const { requests, perSecond, p50, p99, errors, firstError } = await load.run({
    port: node.port, request: requestBytes({ host: `${APP}.localhost` }), connections, measureMs: MEASURE_MS,
    onMeasure: (what) => {
      if (what === 'start') from = cpuMs(pids);
      else to = cpuMs(pids);
    },
  });
  to ??= cpuMs(pids);
  if (errors > 0) throw new Error(`${errors} requests failed: ${firstError}`);
  return { requests, perSecond, p50, p99, cpuUs: (cpuBetweenMs(from, to) * 1e3) / requests };
}

const fleet = await startFleet({ nodes: 2, nodeEnv: { WHORL_GATEWAY_LISTEN: '127.0.0.1:0', WHORL_LISTEN: '127.0.0.1' } });
const load = new Load(1);
try {
  const [here, elsewhere] = fleet.nodes;
  await fleet.call('POST', `/v1/nodes/${elsewhere.name}/cordon`);
  await fleet.deploy(APP, 'hello');
  for (const node of [here, elsewhere]) {
    const untilMs = performance.now() + WARM_MAX_MS;
    for (let warm = 0; warm < WARM_REQUESTS && performance.now() < untilMs;) warm += (await measure(load, fleet, node, 32)).requests;
  }
  await sleep(500);
  console.log(`${cpus().length} cores, load ${loadavg()[0].toFixed(1)}, medians of ${rounds} rounds\n`);
  console.log('| at a time | | requests/s | p50 ms | p99 ms | CPU us/request, both nodes |\n|--:|---|--:|--:|--:|--:|');
  for (const connections of CONCURRENCIES) {
    const seen = { local: [], over: [] };
    for (let round = 0; round < Number(rounds); round++) {
      seen.local.push(await measure(load, fleet, here, connections));
      seen.over.push(await measure(load, fleet, elsewhere, connections));
    }
    const of = (rows, key) => median(rows.map((row) => row[key]));
    const line = (name, rows) => `| ${connections} | ${name} | ${of(rows, 'perSecond').toFixed(0)} | ${of(rows, 'p50').toFixed(2)} | ${of(rows, 'p99').toFixed(2)} | ${of(rows, 'cpuUs').toFixed(0)} |`;
    console.log(line('at the node that has the app', seen.local));
    console.log(line('handed over', seen.over));
    const ratio = (key) => median(seen.over.map((row, i) => row[key] / seen.local[i][key])).toFixed(2);
    console.log(`| ${connections} | ratio | ${ratio('perSecond')} | ${ratio('p50')} (+${median(seen.over.map((row, i) => row.p50 - seen.local[i].p50)).toFixed(2)} ms) | ${ratio('p99')} | ${ratio('cpuUs')} |`);
  }
} finally {
  load.stop();
  await fleet.stop();
}
