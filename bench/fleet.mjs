// `node bench/fleet.mjs [--rounds 10] [--rate 1000] [--nodes 3] [--namespaces] [part of a scenario's name …]`, or `outage [--seconds 60]`: a fleet of real processes under an open loop of requests, while versions are
// deployed and rolled back and processes are restarted and killed. Every request is accounted for: see test/fleet/harness. After `npm run build`. Exit status 1: a target was missed.
import { cpus, loadavg } from 'node:os';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { startFleet } from '../test/fleet/harness/fleet.mjs';
import { outage } from '../test/fleet/harness/outage.mjs';
import { Run, SCENARIOS } from '../test/fleet/harness/scenarios.mjs';
import { percentiles } from './lib/load.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '10' }, rate: { type: 'string', default: '1000' }, nodes: { type: 'string', default: '3' }, seconds: { type: 'string', default: '60' }, namespaces: { type: 'boolean', default: false } },
});
const isOutage = positionals.includes('outage');
const wanted = Object.keys(SCENARIOS).filter((name) => positionals.length === 0 || positionals.some((part) => name.includes(part)));
const loadBefore = loadavg()[0];
const fleet = await startFleet({ nodes: Number(values.nodes), controlPlanes: 2, hosts: values.namespaces ? 'namespaces' : 'loopback' });
let bad = 0;
try {
  bad = isOutage ? await away() : await scenarios();
} finally {
  await fleet.stop();
}
process.exit(bad > 0 ? 1 : 0);

function sum(counts) {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}

function machine() {
  console.log(`\n${cpus().length} x ${cpus()[0].model}, Node ${process.version}; load of the machine ${loadBefore.toFixed(1)} before, ${loadavg()[0].toFixed(1)} after; nodes in ${fleet.hosts.kind}`);
}

/** Everything but the nodes is away for a minute. Answers how many requests and figures are not as they should be. */
async function away() {
  const { outcome, before, after, answered, usage } = await outage(fleet, { rate: Number(values.rate), seconds: Number(values.seconds) });
  const isSame = isDeepStrictEqual(before, after);
  const rows = [
    ['requests, answered', `${outcome.requests}, ${outcome.answered}`, true],
    ['failed', sum(outcome.failed), sum(outcome.failed) === 0],
    ['answers not allowed', outcome.disallowed.length, outcome.disallowed.length === 0],
    ['channels, versions, what nodes serve, files of the store: the same afterwards', isSame ? 'yes' : 'no', isSame],
    ['requests counted', sum(usage), isDeepStrictEqual(usage, answered)],
  ];
  console.log(`| control planes, PostgreSQL and store away for ${values.seconds} s, a node restarted meanwhile | | |\n|---|--:|---|`);
  for (const [what, figure, ok] of rows) console.log(`| ${what} | ${figure} | ${ok ? 'pass' : 'short'} |`);
  for (const row of outcome.failures.slice(0, 20)) console.log(JSON.stringify(row));
  machine();
  return rows.filter(([, , ok]) => !ok).length;
}

async function scenarios() {
  const run = await Run.begin(fleet, { rate: Number(values.rate), settleMs: 500 });
  for (run.round = 0; run.round < Number(values.rounds); run.round++) for (const name of wanted) await run.act(name);
  const { outcome, byScenario } = await run.end();
  console.log('| scenario | times | requests | failed | in flight on a killed node | sent to another node | answers not allowed | p50, p99, max ms |\n|---|--:|--:|--:|--:|--:|--:|---|');
  for (const [name, { times, requests, failed, inFlight, retried, disallowed, ms }] of [...Object.entries(byScenario), ['all', { ...outcome, times: '', ms: run.load.rows.map((row) => row.ms) }]]) {
    const { p50, p99, max } = percentiles(ms);
    console.log(`| ${[name, times, requests, sum(failed), inFlight, retried, disallowed.length, [p50, p99, max].map((each) => each.toFixed(1)).join(', ')].join(' | ')} |`);
  }
  const bad = sum(outcome.failed) + outcome.disallowed.length;
  if (bad > 0) {
    console.log(outcome.failed);
    for (const row of [...outcome.failures, ...outcome.disallowed].slice(0, 20)) console.log(JSON.stringify(row));
  }
  const seconds = (run.load.rows.at(-1).startMs - run.load.rows[0].startMs) / 1000;
  console.log(`\n${(outcome.requests / seconds).toFixed(0)} requests/s for ${seconds.toFixed(0)} s`);
  machine();
  return bad;
}
