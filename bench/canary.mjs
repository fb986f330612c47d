// `node bench/canary.mjs [part of a row's name]`: how rollouts are judged, by simulation (docs/adr/0027-judging-a-rollout.md). Every row is a world; a round is one
// rollout `steps:10@30s,50@30s` over three nodes with the default policy, second by second, through the product's own functions. The seed of a round is its row's
// number times 1,000,000 plus its own number: rounds can be repeated. Takes about a minute; SCALE=0.1 does a tenth of the rounds. After `npm run build`.
// `node bench/canary.mjs --real`: fewer worlds, but of real processes: three nodes, 5 apps at a time with 200 requests/s each; 50 rounds of identical versions, 10 of each fault. About 20 minutes.
import { performance } from 'node:perf_hooks';
import { gzipSync } from 'node:zlib';
import { quantile, rollout } from './canary/rollout.mjs';
import { BASELINE, CANDIDATE, World } from './canary/world.mjs';

const at = (name) => import(`../dist/api/rollouts/analysis/${name}.js`);
const product = Object.assign({}, await import('../dist/contract/samples.js'), ...(await Promise.all(['state', 'observe', 'verdict', 'steps', 'strategy'].map(at))));
const { AnalysisPolicy } = await at('policy');
const SCALE = Number(process.env.SCALE ?? 1);
const wanted = process.argv[2] ?? '';
if (wanted === '--real') {
  const { real } = await import('./canary/real.mjs');
  const scaled = (count) => Math.round(count * SCALE);
  process.exit((await real({ rounds: { 'answers 500 to one request in five': scaled(10), 'twice as slow': scaled(10), identical: scaled(50) }, apps: Math.min(5, scaled(50)) })) ? 0 : 1);
}

/** name; rounds; world; options: policy, subject, teachS, atMost; target: of the shares that were promoted and rolled back, of those within 15 s */
const equal = (most) => ({ text: `rolled back <= ${100 * most} %`, holds: ({ rolledBack, rounds }) => rolledBack <= Math.max(1, most * rounds) });
const promoted = { text: 'all promoted', holds: ({ promoted: count, rounds }) => count === rounds };
const within15 = { text: 'all within 15 s', holds: ({ soon, rounds }) => soon === rounds };
const found = { text: 'all rolled back', holds: ({ rolledBack, rounds }) => rolledBack === rounds };
const never = { text: 'none promoted', holds: ({ promoted: count }) => count === 0 };
const told = { subject: { sticky: true }, teachS: 120 };
const four = { components: { a: 0.5, b: 0.3, c: 0.1, d: 0.1 } };

const ROWS = [
  ['identical, 200/s, 50 rounds', 50, {}, {}, promoted],
  ['identical, 200/s, 2,000 rounds', 2000, {}, { teachS: 10 }, equal(0.01)],
  ['identical, 5 % errors', 20, { errors: 0.05 }, {}, equal(0.01)],
  ['identical, 20 % errors', 20, { errors: 0.2 }, {}, equal(0.01)],
  ['identical, heavy tail', 20, { shape: 'heavy tail' }, {}, equal(0.01)],
  ['identical, two humps', 20, { shape: 'two humps' }, {}, equal(0.01)],
  ['identical, quick (0.6 ms)', 20, { shape: 'quick' }, {}, equal(0.01)],
  ['identical, bursts', 20, { bursts: true }, {}, equal(0.01)],
  ['identical, shared outages', 20, { outages: true }, { atMost: 400 }, equal(0.01)],
  ['identical, shared outages and bursts', 20, { outages: true, bursts: true }, { atMost: 400 }, equal(0.01)],
  ['identical, both ever slower, 30 times the errors', 20, { driftS: 90 }, { atMost: 400 }, equal(0.01)],
  ['identical, new instances 4 times slower, fading in 3 s', 20, { cold: 4 }, {}, equal(0.01)],
  ['identical, the new one on the slow node alone', 20, { slowNodes: { 0: 2 }, candidateNodes: [0] }, { atMost: 400 }, equal(0.01)],
  ['identical, errors in lumps of 5', 20, { errors: 0.01, lump: 5 }, { teachS: 120, atMost: 400 }, equal(0.01)],
  ['identical, 10/s', 20, { rate: 10 }, { atMost: 800 }, equal(0.01)],
  ['identical, 1/s', 20, { rate: 1 }, { atMost: 800 }, equal(0.01)],
  ['identical, four components', 10, four, { subject: { components: ['a', 'b', 'c', 'd'] } }, equal(0.01)],
  ['identical, 500 unlike clients, by request', 20, { clients: 500 }, { teachS: 120 }, equal(0.01)],
  ['identical, 500 unlike clients, sticky, not told', 30, { clients: 500, sticky: true }, { teachS: 120, atMost: 90 }],
  ['identical, 500 unlike clients, sticky', 30, { clients: 500, sticky: true }, { ...told, atMost: 200 }, equal(0.05)],
  ['identical, 50 unlike clients, sticky', 100, { clients: 50, sticky: true }, { ...told, atMost: 200 }, equal(0.05)],
  ['identical, 500 clients alike, sticky', 20, { clients: 500, sticky: true, alike: true }, { ...told, atMost: 400 }, equal(0.01)],
  ['tolerated: errors 0.1 to 0.22 %', 20, { fault: { errors: 0.0022 } }, {}, equal(0.01)],
  ['tolerated: 1.09 times slower', 20, { fault: { latency: 1.09 } }, {}, equal(0.01)],
  ['errors 0.1 to 20 %', 100, { fault: { errors: 0.2 } }, {}, within15],
  ['errors 0.1 to 5 %', 20, { fault: { errors: 0.05 } }, {}, found],
  ['errors 0.1 to 1.2 % (to be refused)', 20, { fault: { errors: 0.012 } }, { atMost: 400 }, never],
  ['errors 5 to 20 %', 20, { errors: 0.05, fault: { errors: 0.2 } }, {}, found],
  ['traps 5 %', 20, { fault: { traps: 0.05 } }, {}, found],
  ['limits 5 %', 20, { fault: { limits: 0.05 } }, {}, found],
  ['hangs on all requests', 20, { fault: { hang: 1 } }, {}, within15],
  ['hangs on one request in five', 20, { fault: { hang: 0.2 } }, {}, within15],
  ['all twice as slow', 100, { fault: { latency: 2 } }, {}, within15],
  ['all twice as slow, heavy tail', 20, { shape: 'heavy tail', fault: { latency: 2 } }, {}, within15],
  ['all twice as slow, two humps', 20, { shape: 'two humps', fault: { latency: 2 } }, {}, within15],
  ['slowest 5 % four times as slow', 20, { fault: { tail: { share: 0.05, factor: 4 } } }, {}, found],
  ['slowest 5 % twice as slow (p99 alone)', 60, { fault: { tail: { share: 0.05, factor: 2 } } }, {}, found],
  ['slowest 2 % twice as slow (p99 alone)', 60, { fault: { tail: { share: 0.02, factor: 2 } } }, {}, found],
  ['CPU time 1.5 times', 20, { fault: { cpu: 1.5 } }, {}, found],
  ['one component of four: errors 20 %', 20, { ...four, faulty: 'c', fault: { errors: 0.2 } }, { subject: { components: ['a', 'b', 'c', 'd'] } }, found],
  ['late (at 45 s): errors 20 %', 20, { onsetS: 45, fault: { errors: 0.2 } }, {}, found],
  ['10/s: errors 20 %', 20, { rate: 10, fault: { errors: 0.2 } }, { atMost: 800 }, found],
  ['1/s: errors 20 %', 20, { rate: 1, fault: { errors: 0.2 } }, { atMost: 800 }, never],
  ['1/s: fails always', 20, { rate: 1, fault: { errors: 1 } }, { atMost: 800 }, found],
  ['1,000/s: errors 1 %', 10, { rate: 1000, fault: { errors: 0.01 } }, {}, found],
];

const share = (count, of) => (count === 0 ? '0' : `${Number(((100 * count) / of).toPrecision(4))} %`);
const seconds = (values) => (values.length === 0 ? '' : [0.5, 0.9, 1].map((level) => quantile(values, level)).join(' / '));
console.log('| world | rounds | promoted | rolled back | waits for somebody | rolled back after s: median / 90 % / last | within 15 s | bad answers, median | blamed | target | |');
console.log('|---|--:|--:|--:|--:|--:|--:|--:|---|---|---|');
const fromMs = performance.now();
let short = 0;
for (const [i, [name, count, world, options, target]] of ROWS.entries()) {
  if (!name.includes(wanted)) continue;
  const policy = AnalysisPolicy.parse(options.policy ?? {});
  const rounds = Math.max(1, Math.round(count * SCALE));
  const ended = Array.from({ length: rounds }, (_, round) => {
    const { state, atS, signal, candidateBad } = rollout(product, world, (i + 1) * 1_000_000 + round, { ...options, policy });
    return { state, atS, signal, candidateBad };
  });
  const back = ended.filter(({ state }) => state === 'rolled_back');
  const times = back.map(({ atS }) => atS);
  const blamed = Object.entries(Object.groupBy(back, ({ signal }) => signal)).map(([signal, all]) => `${signal} ${all.length}`).join(', ');
  const result = { rounds, promoted: ended.filter(({ state }) => state === 'promoted').length, rolledBack: back.length, soon: times.filter((each) => each <= 15).length };
  const holds = target?.holds(result) ?? true;
  if (!holds) short++;
  const cells = [
    name, rounds, share(result.promoted, rounds), share(back.length, rounds), share(rounds - back.length - result.promoted, rounds), seconds(times), back.length > 0 ? share(result.soon, rounds) : '',
    back.length > 0 ? quantile(back.map(({ candidateBad }) => candidateBad), 0.5) : '', blamed, target?.text ?? '', target ? (holds ? 'pass' : 'short') : '',
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
console.log(`\n${((performance.now() - fromMs) / 1_000).toFixed(0)} s, Node ${process.version}; seeds: row x 1,000,000 + round, rows counted from 1`);

/** What it costs: the report of one node's second, the state, and the time to take one report. */
console.log('\n| requests/s on a node | report, bytes | the same, gzip | state, bytes | taking a report, µs |\n|---|--:|--:|--:|--:|');
for (const rate of wanted === '' ? [20, 200, 2_000, 20_000] : []) {
  const world = new World({ rate, nodes: 1 }, 1, product.toHistogram);
  const reports = Array.from({ length: 60 }, () => world.second(10)[0]);
  let state = product.begin(AnalysisPolicy.parse({}), { candidate: CANDIDATE, baseline: BASELINE });
  for (const report of reports) state = product.observe(state, report);
  const once = performance.now();
  let taken = 0;
  for (let again = 1; again <= 20; again++) for (const report of reports) {
    product.observe(state, { ...report, seq: report.seq + 1 + 60 * again });
    taken++;
  }
  const text = JSON.stringify(reports[30]);
  console.log(`| ${rate} | ${text.length} | ${gzipSync(text).length} | ${JSON.stringify(state).length} | ${Math.round(((performance.now() - once) / taken) * 1_000)} |`);
}
process.exitCode = short > 0 ? 1 : 0;
