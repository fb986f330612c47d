// `node bench/assignments.mjs [nodes] [apps]`: what it costs a control plane to tell a large fleet what to hold (docs/scale.md). A real control plane on a real
// PostgreSQL, whose scheduler places every app; nodes that only poll and are kept alive. CPU is the control plane's, transactions are the database's.
// Needs `npm run build` before. Use the project's Node.
import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Agent, request } from 'undici';

const root = new URL('../dist/', import.meta.url);
const { startPostgres } = await import(new URL('platform/postgres/embedded-postgres.js', root));
const { mintToken } = await import(new URL('platform/token.js', root));
const { ENGINE_VERSION } = await import(new URL('engine/plan.js', root));

const NODES = Number(process.argv[2] ?? 1_000);
const APPS = Number(process.argv[3] ?? 20_000);
const DEPLOYS = 50;
const IDLE_S = 20;
const TICKS_PER_S = 100;
const print = (line) => process.stdout.write(`${line}\n`);

const dir = mkdtempSync(join(tmpdir(), 'whorl-assignments-'));
const postgres = await startPostgres({ dir: join(dir, 'postgres') });
const pool = new pg.Pool({ connectionString: postgres.url, max: 8 });
pool.on('error', () => {});
const [adminToken, nodeToken] = [mintToken(), mintToken()];
const agent = new Agent({ connections: NODES + 8, headersTimeout: 120_000, bodyTimeout: 120_000 });
const ended = new AbortController();
/** Nodes that were told something since it was cleared. */
const arrivals = new Set();
let plane;

try {
  plane = await startPlane();
  await seed();
  const alive = keepAlive();
  const placedMs = await timed(() => until(async () => (await one('SELECT count(*)::int AS n FROM placement')).n === APPS));
  print(`${NODES} nodes, ${APPS} apps: all placed ${number(placedMs)} ms after they were there, ${number((await one('SELECT avg(jsonb_array_length(replicas)) AS n FROM placement')).n)} nodes each`);
  print('\n| what | CPU ms | transactions | ms | |\n|---|--:|--:|--:|---|');

  const revisions = new Map();
  const names = Array.from({ length: NODES }, (_, i) => `node-${i}`);
  let bytes = 0;
  await measured('every node starts with an empty disk', NODES, async () => {
    for (let i = 0; i < NODES; i += 50) await Promise.all(names.slice(i, i + 50).map(async (name) => {
      const answer = await poll(name, 0);
      bytes += answer.bytes;
    }));
  }, () => `each; ${number(bytes / NODES / 1_000)} kB a node`);
  const waiting = names.map((name) => follow(name));
  await sleep(2_000);
  await measured(`all nodes wait, nothing changes`, IDLE_S, () => sleep(IDLE_S * 1_000), () => 'a second, the leader\'s passes included');
  const channels = (await pool.query('SELECT channel_id AS id, jsonb_array_length(replicas) AS nodes FROM placement ORDER BY random() LIMIT $1', [DEPLOYS])).rows;
  const late = [];
  await measured('one deployment', DEPLOYS, async () => {
    for (const { id, nodes } of channels) {
      const startMs = performance.now();
      arrivals.clear();
      await pool.query('UPDATE channel SET generation = generation + 1 WHERE id = $1', [id]);
      await until(() => arrivals.size >= nodes, 2);
      late.push(performance.now() - startMs);
    }
  }, () => `until all its nodes have it: ${number(late.sort((a, b) => a - b)[DEPLOYS >> 1])} ms in the middle, ${number(late.at(-1))} at most`);
  ended.abort();
  await Promise.all([alive, ...waiting]);

  async function follow(name) {
    while (!ended.signal.aborted) {
      const { assignments } = await poll(name, 25).catch(() => ({ assignments: [] }));
      if (assignments.length > 0) arrivals.add(name);
    }
  }

  async function poll(name, waitS) {
    const query = new URLSearchParams({ wait: waitS, engines: ENGINE_VERSION, ...(revisions.has(name) && { after: revisions.get(name) }) });
    const { statusCode, body } = await request(`${plane.url}/v1/nodes/${name}/assignments?${query}`, { dispatcher: agent, headers: { authorization: `Bearer ${nodeToken}` }, signal: ended.signal });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${statusCode} ${text}`);
    const answer = JSON.parse(text);
    revisions.set(name, answer.revision);
    return { ...answer, bytes: text.length };
  }
} finally {
  ended.abort();
  plane?.child.kill('SIGTERM');
  if (plane) await plane.gone;
  await agent.destroy();
  await pool.end();
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
}

async function startPlane() {
  const env = {
    PATH: process.env.PATH, DATABASE_URL: postgres.url, WHORL_API_PORT: '0', WHORL_LISTEN: '127.0.0.1', WHORL_SECRET_KEY: randomBytes(32).toString('base64url'),
    WHORL_STORAGE_DIR: join(dir, 'store'), WHORL_ADMIN_TOKEN: adminToken, WHORL_NODE_TOKEN: nodeToken,
  };
  const child = spawn(process.execPath, [new URL('bin/control-plane.js', root).pathname], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const said = await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`the control plane ended with ${code}`)));
  });
  return { child, gone, url: `http://127.0.0.1:${said.port}` };
}

/** Apps with one version that is served, and nodes that hold nothing yet. */
async function seed() {
  const org = (await one('SELECT id FROM org LIMIT 1')).id;
  const digest = `sha256:${'a'.repeat(64)}`;
  const component = { id: 'web', source: digest, sourceBytes: 8, environment: {}, files: [], variables: {}, allowedOutboundHosts: [], keyValueStores: [], sqliteDatabases: [], aiModels: [], limits: {} };
  const app = JSON.stringify({ name: 'app', version: '1.0.0', description: '', authors: [], variables: {}, triggers: [{ type: 'http', id: 'web', route: '/...', component: 'web', executor: { type: 'http' } }], components: [component] });
  const ids = Array.from({ length: APPS }, () => randomUUID());
  await pool.query(`INSERT INTO node (name, incarnation, report, report_digest, changed_at, last_seen)
    SELECT 'node-' || i, 'i', jsonb_build_object('node', 'node-' || i, 'incarnation', 'i', 'runners', 1, 'engines', jsonb_build_array($2::text), 'zone', 'zone-' || (i % 4), 'statuses', '[]'::jsonb), 'd', now(), now()
    FROM generate_series(0, $1::int - 1) i`, [NODES, ENGINE_VERSION]);
  for (let from = 0; from < APPS; from += 5_000) {
    const some = ids.slice(from, from + 5_000);
    await pool.query(`INSERT INTO app (id, org_id, name, last_version) SELECT id, $2::uuid, 'app-' || id, 1 FROM unnest($1::uuid[]) id`, [some, org]);
    await pool.query(`INSERT INTO version (app_id, number, digest, bytes, manifest, locked_app, pushed_by, variables_revision) SELECT id, 1, $2, 8, '', $3::json, 'bench', 0 FROM unnest($1::uuid[]) id`, [some, digest, app]);
    await pool.query(`INSERT INTO version_build (app_id, number, engine, builds) SELECT id, 1, $2, '{}'::json FROM unnest($1::uuid[]) id`, [some, ENGINE_VERSION]);
    await pool.query(`INSERT INTO channel (id, app_id, name, generation, first_generation, serve) SELECT gen_random_uuid(), id, 'production', 1, 0, '[{"version": 1, "percent": 100}]'::jsonb FROM unnest($1::uuid[]) id`, [some]);
  }
}

/** As heartbeats would, in one statement, so that the nodes' part is not counted as the control plane's. */
async function keepAlive() {
  while (!ended.signal.aborted) {
    await pool.query('UPDATE node SET last_seen = now()');
    await sleep(1_000, undefined, { signal: ended.signal }).catch(() => {});
  }
}

async function measured(what, per, run, note) {
  const before = [cpuMs(), await transactions()];
  const ms = await timed(run);
  const [cpu, count] = [cpuMs() - before[0], (await transactions()) - before[1]];
  print(`| ${what} | ${number(cpu / per)} | ${number(count / per)} | ${number(ms / per)} | ${note()} |`);
}

function cpuMs() {
  const fields = readFileSync(`/proc/${plane.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_S;
}

async function transactions() {
  // The server hands its counts on about once a second.
  await sleep(1_500);
  return Number((await one('SELECT xact_commit AS n FROM pg_stat_database WHERE datname = current_database()')).n);
}

async function one(text) {
  return (await pool.query(text)).rows[0];
}

async function timed(run) {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

async function until(condition, everyMs = 100) {
  while (!(await condition())) await sleep(everyMs);
}

function number(value) {
  return Number(value) < 100 ? Number(value).toFixed(1) : Math.round(Number(value)).toLocaleString('en');
}
