// Rollback under load: from the call to the last answer of the version rolled back from, and failed requests. `node bench/rollback.mjs [--rounds 50] [--rate 1000] [--nodes 3]` (after
// `npm run build`) measures it on a fleet of real nodes; `npm run bench -- rollback` on `whorl up`.
import { cpus, loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startFleet } from '../test/fleet/harness/fleet.mjs';
import { tinyBundle } from './lib/bundles.mjs';
import { load, percentiles } from './lib/load.mjs';

export async function rollback(platform, { rounds = 5, requests = 2000, concurrency = 50 } = {}) {
  const app = 'bench-rollback';
  await platform.push(app, await tinyBundle('first'));
  await platform.push(app, await tinyBundle('second'));
  const last = [];
  const said = [];
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
        answered = platform.call('POST', `/v1/apps/${app}/rollback`).then((answer) => {
          said.push(answer.switch?.lastOldAnswerMs ?? Number.NaN);
          return performance.now();
        });
      },
    });
    const answeredAt = await answered;
    failed += rows.filter((row) => row.status !== 200 || !(row.body.includes(from) || row.body.includes(to))).length;
    const old = rows.filter((row) => row.body.includes(from)).map((row) => row.at);
    late += old.filter((at) => at > answeredAt).length;
    last.push(Math.max(...old) - called);
  }
  const figures = percentiles(last);
  const measured = percentiles(said);
  return [
    { what: `rollback: call to last old answer, ${concurrency} concurrent, ms`, ...figures, target: 'max < 200', ok: figures.max < 200 },
    { what: 'rollback: last old answer as the platform measured it, ms', ...measured, target: 'known, max < 200', ok: measured.max < 200 },
    { what: `rollback: failed of ${rounds * requests} requests`, p50: failed, p99: failed, max: failed, target: '0', ok: failed === 0 },
    { what: 'rollback: old answers after the call had answered', p50: late, p99: late, max: late, target: '0', ok: late === 0 },
  ];
}

/** The same on a fleet: all nodes have switched when the call answers, and no node answers by the old version any more. */
async function ofFleet({ rounds, rate, nodes }) {
  const app = 'shop';
  const fleet = await startFleet({ nodes, controlPlanes: 2 });
  try {
    const versions = [(await fleet.deploy(app, 'first')).version, (await fleet.deploy(app, 'second')).version];
    const load = fleet.load({ rate, apps: [app] });
    await sleep(1_000);
    const calls = [];
    for (let round = 0; round < rounds; round++) {
      const calledMs = Date.now();
      await fleet.call('POST', `/v1/apps/${app}/rollback`);
      calls.push({ calledMs, answeredMs: Date.now(), old: versions[(round + 1) % 2] });
      await sleep(250);
    }
    const outcome = await fleet.judge(load);
    const texts = new Map([...fleet.ledger.versions.get(app)].map(([text, version]) => [version, text]));
    const lastOld = calls.map(({ calledMs, old }, i) => {
      const untilMs = calls[i + 1]?.calledMs ?? Infinity;
      const late = load.rows.filter((row) => row.status === 200 && row.endMs >= calledMs && row.startMs < untilMs && row.text === texts.get(old));
      return Math.max(0, ...late.filter(({ startMs }) => startMs < untilMs).map(({ startMs }) => startMs - calledMs));
    });
    const late = calls.flatMap(({ answeredMs, old }, i) => load.rows.filter((row) => row.status === 200 && row.text === texts.get(old) && row.startMs > answeredMs && row.endMs < (calls[i + 1]?.calledMs ?? Infinity)));
    const failed = Object.values(outcome.failed).reduce((sum, count) => sum + count, 0);
    const row = (what, figures, target, ok) => ({ what, ...figures, target, ok });
    const switched = percentiles(calls.map(({ calledMs, answeredMs }) => answeredMs - calledMs));
    return [
      row(`rollback over ${nodes} nodes, ${rate} requests/s, ${rounds} times: call to its answer, when all nodes have switched, ms`, switched, 'p99 < 500', switched.p99 < 500),
      row('call to the start of the last request that the old version answered, ms', percentiles(lastOld), 'p99 < 500', percentiles(lastOld).p99 < 500),
      row(`failed of ${outcome.requests} requests`, { p50: failed, p99: failed, max: failed }, '0', failed === 0),
      row('requests that began after the answer and met the old version', { p50: late.length, p99: late.length, max: late.length }, '0', late.length === 0),
      row('answers that the table did not allow', { p50: outcome.disallowed.length, p99: outcome.disallowed.length, max: outcome.disallowed.length }, '0', outcome.disallowed.length === 0),
    ];
  } finally {
    await fleet.stop();
  }
}

if (import.meta.main) {
  const options = { rounds: { type: 'string', default: '50' }, rate: { type: 'string', default: '1000' }, nodes: { type: 'string', default: '3' } };
  const numbers = Object.fromEntries(Object.entries(parseArgs({ options }).values).map(([name, value]) => [name, Number(value)]));
  const before = loadavg()[0];
  const rows = await ofFleet(numbers);
  console.log('| what | p50 | p99 | max | target | |\n|---|--:|--:|--:|---|---|');
  for (const { what, p50, p99, max, target, ok } of rows) console.log(`| ${what} | ${p50} | ${p99} | ${max} | ${target} | ${ok ? 'pass' : 'short'} |`);
  console.log(`\n${cpus().length} x ${cpus()[0].model}, Node ${process.version}; load of the machine ${before.toFixed(1)} before, ${loadavg()[0].toFixed(1)} after`);
  process.exit(rows.every(({ ok }) => ok) ? 0 : 1);
}
