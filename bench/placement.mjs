// `node bench/placement.mjs [nodes] [apps]`: what placement costs in a large fleet (docs/scale.md): a pass over everything, passes over
// what is new, and the memory that the scheduler's leader holds, in this process alone. Then what the fleet's messages come to, in the
// contract's own shape, and what a real PostgreSQL makes of them. Needs `npm run build` before. Use the project's Node.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import pg from 'pg';

const root = new URL('../dist/', import.meta.url);
const load = async (path) => import(new URL(`api/scheduler/${path}`, root));
const { NodeReport } = await import(new URL('contract/assignment.js', root));
const { startPostgres } = await import(new URL('platform/postgres/embedded-postgres.js', root));
const { place, NOTHING_PLACED } = await load('placement/place.js');
const { Placer } = await load('placement/placer.js');
const { drainProgress } = await load('placement/drain-progress.js');
const { DEFAULT_SETTINGS } = await load('placement/placement-settings.js');
const { autoscale } = await load('autoscale/autoscale.js');
const { DEFAULT_AUTOSCALE } = await load('autoscale/autoscale-settings.js');

const NODES = Number(process.argv[2] ?? 1_000);
const APPS = Number(process.argv[3] ?? 100_000);
const ROUNDS = 15;
const ZONES = 4;
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

const nodeOf = (i) => ({
  name: `node-${i}`, zone: `zone-${i % ZONES}`, labels: { disk: i % 10 === 0 ? 'large' : 'small', zone: `zone-${i % ZONES}` },
  taints: i % 50 === 0 ? [{ key: 'batch', value: 'yes', effect: 'no-new' }] : [],
  capacity: { memoryBytes: (i % 3 === 0 ? 32 : 16) * 1e9, milliCores: i % 3 === 0 ? 16_000 : 8_000 },
  engines: ['3'], capabilities: ['http', 'cron', 'redis'], wanted: 'active', sickness: null, lastSeenMs: 0,
});
/** Two replicas that take requests, 40 MB and 26 thousandths of a core on average, of which some ask for a kind of node. */
const channelOf = (i) => ({
  key: `channel-${i}`, name: `app-${i}/production`, replicas: { min: 2, max: 8, wanted: 2 },
  demand: { memoryBytes: (4 + (i * 7) % 57) * 1e6, milliCores: 2 + (i * 13) % 49 }, reserve: { memoryBytes: 8e6, milliCores: 0 },
  engines: ['3'], capabilities: i % 7 === 0 ? ['cron'] : ['http'], tolerations: i % 100 === 0 ? [{ key: 'batch' }] : [],
  affinity: { required: i % 20 === 0 ? [{ label: 'disk', operator: 'in', values: ['large'] }] : [], preferred: [] }, stateGroup: null,
});

const nodes = Array.from({ length: NODES }, (_, i) => nodeOf(i));
const channels = Array.from({ length: APPS }, (_, i) => channelOf(i));
const seen = (nowMs, lost = []) => nodes.map((node) => ({ ...node, lastSeenMs: lost.includes(node.name) ? 0 : nowMs }));
/** Every node holds, ready, what it was given. */
function reportsOf(placement) {
  const reports = new Map(nodes.map(({ name }) => [name, new Map()]));
  for (const [key, { replicas }] of placement.channels) {
    for (const { node, generation, leaving } of replicas) if (!leaving) reports.get(node).set(key, { generation, ready: true });
  }
  return reports;
}
const nothingNew = { channels: [], removed: [], reports: new Map() };

function timed(run) {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const result = run();
  const used = process.cpuUsage(cpu);
  return { result, ms: performance.now() - startMs, cpuMs: (used.user + used.system) / 1e3 };
}
const heapBytes = () => {
  gc();
  return process.memoryUsage().heapUsed;
};
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const number = (value, digits = 1) => value.toLocaleString('en-US', { maximumFractionDigits: digits });
const rows = [];
function row(what, runs, note = '') {
  rows.push([what, median(runs.map(({ ms }) => ms)), median(runs.map(({ cpuMs }) => cpuMs)), Math.max(...runs.map(({ ms }) => ms)), note]);
}

const settings = { ...DEFAULT_SETTINGS, diskCopies: 2, repairsPerPass: Infinity };
const world = (nowMs, more = {}) => ({ nowMs, nodes: seen(nowMs), channels, removed: [], reports: new Map(), ...more });

const inputsBytes = heapBytes();
const firsts = Array.from({ length: 3 }, () => timed(() => place(world(1_000), NOTHING_PLACED, settings)));
const { placement } = firsts[0].result;
const replicas = [...placement.channels.values()].reduce((sum, { replicas: { length } }) => sum + length, 0);
row('full pass from nothing', firsts, `${replicas} replicas placed`);
firsts.length = 0;

const reports = reportsOf(placement);
const stateBytes = heapBytes() - inputsBytes;
const again = Array.from({ length: 3 }, () => timed(() => place(world(2_000, { reports }), placement, settings)));
row('full pass, nothing to do (a new leader)', again, `${again[0].result.decisions.changed.size} changed`);
again.length = 0;

const beforeBytes = heapBytes();
const placer = new Placer(placement, { ...DEFAULT_SETTINGS, diskCopies: 2 });
let nowMs = 3_000;
placer.pass(world(nowMs, { reports }));
const placerBytes = heapBytes() - beforeBytes;
const pass = (more = {}, lost = []) => timed(() => placer.pass({ nowMs: (nowMs += 1_000), nodes: seen(nowMs, lost), ...nothingNew, ...more }));

row('pass, nothing new', Array.from({ length: ROUNDS }, () => pass()));
row('pass, one app pushed', Array.from({ length: ROUNDS }, (_, i) => pass({ channels: [channelOf(APPS + i)] })));
row('pass, one app needs two more replicas', Array.from({ length: ROUNDS }, (_, i) => pass({ channels: [{ ...channelOf(i), replicas: { min: 2, max: 8, wanted: 4 } }] })));
row('pass, one node reports', Array.from({ length: ROUNDS }, (_, i) => pass({ reports: new Map([[`node-${i}`, reports.get(`node-${i}`)]]) })));

const lost = [];
const lostRuns = Array.from({ length: ROUNDS }, (_, i) => {
  lost.push(`node-${Math.floor(NODES / 10) + i}`);
  return pass({}, lost);
});
row('pass, one node lost', lostRuns, `${median(lostRuns.map(({ result }) => result.changed.size))} channels placed anew`);

const draining = `node-${Math.floor(NODES / 2) + 1}`;
const drain = timed(() => placer.pass({ nowMs: (nowMs += 1_000), nodes: seen(nowMs, lost).map((node) => (node.name === draining ? { ...node, wanted: 'draining' } : node)), ...nothingNew }));
row('pass, one node begins to drain', [drain], `${drain.result.moving} moves begun`);
const described = new Map(channels.map((channel) => [channel.key, channel]));
row('progress of a drain', [timed(() => drainProgress(draining, described, placer.placement(), undefined))]);

const giant = (i) => ({ ...channelOf(2 * APPS + i), demand: { memoryBytes: 30e9, milliCores: 10 } });
pass({ channels: Array.from({ length: 200 }, (_, i) => giant(i)) });
const full = Array.from({ length: ROUNDS }, () => pass());
row('pass, with 200 apps that fit nowhere', full, `${full[0].result.short.length} are looked at in each pass`);
pass({ removed: Array.from({ length: 200 }, (_, i) => giant(i).key) });

const zone = nodes.filter((node) => node.zone === 'zone-1').map(({ name }) => name);
const zoneRun = pass({}, [...lost, ...zone]);
row('pass, a zone lost', [zoneRun], `${zone.length} nodes; ${zoneRun.result.changed.size} channels changed, ${zoneRun.result.short.length} to follow in the next passes`);
const following = [];
while (following.length < 1_000 && (following.at(-1) ?? zoneRun).result.short.length > 0) following.push(pass({}, [...lost, ...zone]));
row('each pass that follows', following, `${following.length}, until all have what they must have; ${number(following.reduce((sum, { ms }) => sum + ms, 0) / 1e3)} s in all`);

const explained = Array.from({ length: ROUNDS }, (_, i) => timed(() => placer.explain(`channel-${i}`)));
row('explanation of one app', explained, `${explained[0].result.nodes.length} nodes`);

const samples = Array.from({ length: 60 }, (_, i) => ({ atMs: i * 1_000, concurrency: i, milliCores: i * 20 }));
const scaling = { ...DEFAULT_AUTOSCALE, min: 0, max: 8 };
row(`autoscaling of ${APPS / 10} apps with requests`, Array.from({ length: 3 }, () => timed(() => {
  for (let i = 0; i < APPS / 10; i++) autoscale(scaling, { wanted: 1, panicUntilMs: null, lastUsedMs: 0 }, { samples, ready: 1, nowMs: 60_000 });
})));

const print = (line) => process.stdout.write(`${line}\n`);
print(`${NODES} nodes, ${APPS} apps with 2 replicas each, Node ${process.version}\n`);
print('| what | ms | CPU ms | max ms | |\n|---|--:|--:|--:|---|');
for (const [what, ms, cpuMs, maxMs, note] of rows) print(`| ${what} | ${number(ms)} | ${number(cpuMs)} | ${number(maxMs)} | ${note} |`);

const perNode = median(nodes.map(({ name }) => reports.get(name).size));
print('\n| memory | MB | bytes for each app |\n|---|--:|--:|');
for (const [what, bytes] of [['desired state (input)', inputsBytes], ['placement and reports', stateBytes], ['what a leader keeps beside them', placerBytes]]) {
  print(`| ${what} | ${number(bytes / 1e6)} | ${number(bytes / APPS, 0)} |`);
}

// Messages, in the shape of the contract. Names of apps as little alike as people's are.
const nameOf = (key) => `app-${createHash('sha256').update(key).digest('hex').slice(0, 8)}`;
const statusOf = ([key, { generation }]) => ({ app: nameOf(key), channel: 'production', generation, variablesRevision: 3, prepared: [11, 12], failed: [] });
const reportOf = (name, seq) => ({ node: name, incarnation: `incarnation-${seq}`, runners: 8, engines: ['3'], statuses: [...reports.get(name)].map(statusOf) });
const routeOf = ([key, { generation, replicas: held }]) => ({ app: nameOf(key), channel: 'production', generation, serve: [{ version: 12, percent: 100 }], nodes: held.map(({ node }) => Number(node.slice(5))) });
const routes = JSON.stringify([...placement.channels].map(routeOf));
const addresses = JSON.stringify(nodes.map(({ name }, i) => [i, name, `10.0.${i >> 8}.${i & 255}:7443`]));
const report = JSON.stringify(reportOf('node-1', 0));
const size = (text) => [text.length, gzipSync(text).length];
const messages = [
  [`route table, all ${APPS} channels`, ...size(routes + addresses)],
  ['route table, one channel changed', ...size(JSON.stringify(routeOf([...placement.channels][7])))],
  [`report of one node, ${perNode} channels`, ...size(report)],
];
print('\n| message | bytes | gzip |\n|---|--:|--:|');
for (const [what, bytes, zipped] of messages) print(`| ${what} | ${number(bytes, 0)} | ${number(zipped, 0)} |`);

// What they cost whoever receives and keeps them.
rows.length = 0;
const REPEATS = 1_000;
row('report read, checked, digested (as for each heartbeat)', [perRepeat(timed(() => {
  for (let i = 0; i < REPEATS; i++) createHash('sha256').update(JSON.stringify(NodeReport.parse(JSON.parse(report)))).digest('hex');
}))]);
row('route table read into a map by app', Array.from({ length: 3 }, () => timed(() => new Map(JSON.parse(routes).map((route) => [route.app, route])))));
await database();
print('\n| what | ms | CPU ms here | max ms | |\n|---|--:|--:|--:|---|');
for (const [what, ms, cpuMs, maxMs, note] of rows) print(`| ${what} | ${number(ms, 2)} | ${number(cpuMs, 2)} | ${number(maxMs, 2)} | ${note} |`);

function perRepeat({ ms, cpuMs }) {
  return { ms: ms / REPEATS, cpuMs: cpuMs / REPEATS };
}

/** Tables as the node's is and as the placement's would be, with the statements that a heartbeat, a change and a new leader come to. */
async function database() {
  const dir = mkdtempSync(join(tmpdir(), 'whorl-placement-'));
  const postgres = await startPostgres({ dir: join(dir, 'postgres') });
  const pool = new pg.Pool({ connectionString: postgres.url, max: 16 });
  // Idle connections that the server closes when it stops.
  pool.on('error', () => {});
  try {
    await pool.query(`CREATE TABLE node (name text PRIMARY KEY, report jsonb NOT NULL, report_digest text NOT NULL, last_seen timestamptz NOT NULL);
      CREATE TABLE placement (channel text PRIMARY KEY, generation int NOT NULL, replicas jsonb NOT NULL)`);
    const put = ({ name }, seq) => pool.query(`INSERT INTO node VALUES ($1, $2, $3, now()) ON CONFLICT (name) DO UPDATE SET report = EXCLUDED.report, report_digest = EXCLUDED.report_digest, last_seen = now()`,
      [name, JSON.stringify(reportOf(name, seq)), `digest-${seq}`]);
    const all = (query) => Promise.all(nodes.map(query));
    await all((node) => put(node, 0));
    await measured('every node reports something new', pool, () => all((node) => put(node, 1)), 'all nodes, 16 connections');
    await measured('every node reports nothing new (a heartbeat)', pool, () => all(({ name }) => pool.query(`UPDATE node SET last_seen = now() WHERE name = $1 AND report_digest = 'digest-1'`, [name])), 'all nodes, 16 connections');
    const status = (where) => pool.query(`SELECT n.name, s.value FROM node n LEFT JOIN LATERAL (SELECT value FROM jsonb_array_elements(n.report->'statuses') WHERE value->>'app' = 'app-0' LIMIT 1) s ON true ${where}`);
    await measured('what all nodes say of one channel', pool, () => status(''));
    await measured('what two nodes say of it', pool, () => status(`WHERE n.name IN ('node-1', 'node-2')`));
    const entries = [...placement.channels];
    const write = (some) => pool.query('INSERT INTO placement SELECT * FROM unnest($1::text[], $2::int[], $3::jsonb[]) ON CONFLICT (channel) DO UPDATE SET generation = EXCLUDED.generation, replicas = EXCLUDED.replicas',
      [some.map(([key]) => key), some.map(([, { generation }]) => generation), some.map(([, { replicas: held }]) => JSON.stringify(held))]);
    for (let i = 0; i < entries.length; i += 10_000) await write(entries.slice(i, i + 10_000));
    await measured('2,000 channels placed anew (a pass with repairs)', pool, () => write(entries.slice(0, 2_000)), 'one statement');
    await measured('the whole placement read (a new leader)', pool, () => pool.query('SELECT * FROM placement'));
  } finally {
    await pool.end();
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measured(what, pool, run, note = '') {
  const walBytes = async () => Number((await pool.query(`SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes`)).rows[0].bytes);
  const runs = [];
  const before = await walBytes();
  for (let i = 0; i < 5; i++) {
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    await run();
    const used = process.cpuUsage(cpu);
    runs.push({ ms: performance.now() - startMs, cpuMs: (used.user + used.system) / 1e3 });
  }
  row(what, runs, [note, `${number((await walBytes() - before) / 5 / 1e3, 0)} kB of WAL`].filter(Boolean).join('; '));
}
