/*
 * A fleet of real processes, for tests and benchmarks: a PostgreSQL, one or several control planes, any number of nodes on addresses of their own, and loads on them of which
 * every request is accounted for. Runs what `npm run build` made. Used from TypeScript too (fleet.d.mts).
 *
 *   const fleet = await startFleet({ nodes: 3 });                     // options: see fleet.d.mts
 *   await fleet.deploy('shop', 'v1');                                 // pushes a tiny app that answers `v1`, waits until it serves
 *   const load = fleet.load({ rate: 300, apps: ['shop'] });           // open loop, to all nodes in turn
 *   await fleet.deploy('shop', 'v2', 'rollout=steps:10@2s,50@2s');    // or fleet.push(app, anyBundle), fleet.call('POST', '/v1/…', { json: {…} })
 *   await fleet.nodes[2].kill();                                      // kill -9 of all that the node consists of; start() begins it again on its folder and address
 *   await fleet.restartInTurn(fleet.nodes[1]);                        // taken out of the balancer, SIGTERM, start, put back
 *   fleet.nodes[1].pause(); fleet.nodes[1].resume();                  // SIGSTOP, SIGCONT
 *   fleet.nodes[0].link.cut(); fleet.nodes[0].link.mend();            // its way to the control planes
 *   await fleet.planes[0].restart(); await fleet.postgres.stop(); await fleet.postgres.start();
 *   const outcome = await fleet.judge(load);                          // {requests, answered, failed, inFlight, disallowed, retried, byVersion}
 *   await fleet.stop();
 *
 * What counts as failed: any answer but 200, and none at all. A request to a node that takes no connection was not sent: the load asks the next node, as any load balancer does, and
 * counts it as retried. What was lost on a node within the moments of its `kill()` is counted as inFlight. What the table allows when: ledger.mjs.
 *
 * Every member has its own folder below `fleet.dir`, and in its environment nothing but what stands here and in the options. Members write to `member.output`.
 * Members end when whoever started them does. `hosts: 'namespaces'` (root, Linux) gives each node a network namespace with an address of its own instead of a loopback address.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startPostgres } from '#platform/postgres/embedded-postgres.js';
import { mintToken } from '#platform/token.js';
import { appBundle } from './bundles.mjs';
import { freePort, makeHosts } from './hosts.mjs';
import { Ledger } from './ledger.mjs';
import { Link } from './link.mjs';
import { Load } from './load.mjs';
import { Member } from './member.mjs';

const script = (name) => fileURLToPath(new URL(`../../../dist/bin/${name}.js`, import.meta.url));
const AMBIENT = Object.fromEntries(['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'].flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]])));
const LIVE_MS = 30_000;

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(1));

/** Starts everything and returns when every node is known to the control planes. Throws with what a member wrote when one does not start. */
export async function startFleet(options = {}) {
  const fleet = new Fleet(options);
  try {
    await fleet.begin();
    return fleet;
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

class Fleet {
  planes = [];
  nodes = [];
  adminToken = mintToken();
  nodeToken = mintToken();
  secretKey = randomBytes(32).toString('base64url');
  loads = [];
  /** `{node, atMs, goneMs}` of each kill of a node. */
  kills = [];

  constructor({ nodes = 3, controlPlanes = 1, runners = 1, env = {}, controlEnv = {}, nodeEnv = {}, hosts = 'loopback', dir } = {}) {
    this.options = { nodes, controlPlanes, runners, env, controlEnv, nodeEnv, hosts, dir };
    this.postgres = new Postgres();
  }

  async begin() {
    const { nodes, controlPlanes, hosts, dir } = this.options;
    this.dir = dir ?? (await mkdtemp(join(tmpdir(), 'whorl-fleet-')));
    this.hosts = await makeHosts(nodes, hosts);
    this.postgres.dir = this.dir;
    await this.postgres.start();
    for (let i = 0; i < controlPlanes; i++) await this.addControlPlane();
    await Promise.all(Array.from({ length: nodes }, (_, i) => this.addNode(i)));
    this.ledger = new Ledger(this.postgres.url);
    this.ledger.begin();
    await this.untilLive(this.nodes.map(({ name }) => name));
  }

  /** URL of the API of a control plane that runs. */
  get api() {
    const plane = this.planes.find(({ isRunning, isPaused }) => isRunning && !isPaused) ?? this.planes[0];
    return `http://${this.hosts.base}:${plane.port}`;
  }

  /** A folder for a member. */
  folder(name) {
    const folder = join(this.dir, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  async addControlPlane(env = {}) {
    const port = await freePort(this.hosts.base);
    const plane = new Member(`control-plane-${this.planes.length + 1}`, {
      script: script('control-plane'),
      env: {
        ...AMBIENT, WHORL_LISTEN: this.hosts.base, WHORL_API_PORT: `${port}`, DATABASE_URL: this.postgres.url, WHORL_SECRET_KEY: this.secretKey,
        WHORL_STORAGE_DIR: this.folder('store'), WHORL_ADMIN_TOKEN: this.adminToken, WHORL_NODE_TOKEN: this.nodeToken, ...this.options.env, ...this.options.controlEnv, ...env,
      },
    });
    plane.port = port;
    this.planes.push(plane);
    return plane.start();
  }

  /** One more node; `index` counts from 0 and chooses its host. */
  async addNode(index = this.nodes.length, env = {}) {
    const host = this.hosts.nodes[index] ?? { address: this.hosts.base, prefix: [] };
    const name = `node-${index + 1}`;
    const link = await Link.open(this.hosts.base, () => this.planes.filter(({ isRunning }) => isRunning).map(({ port }) => ({ host: this.hosts.base, port })));
    const port = host.prefix.length > 0 ? 8080 : await freePort(host.address);
    const node = new Member(name, {
      script: script('node'), prefix: host.prefix,
      env: {
        ...AMBIENT, WHORL_LISTEN: host.address, WHORL_HTTP_PORT: `${port}`, WHORL_API_URL: `http://${this.hosts.base}:${link.port}`, WHORL_NODE_TOKEN: this.nodeToken, WHORL_NODE_NAME: name,
        WHORL_NODE_DIR: this.folder(name), WHORL_RUNNERS: `${this.options.runners}`, ...this.options.env, ...this.options.nodeEnv, ...env,
      },
    });
    Object.assign(node, { node: name, address: host.address, port, link, host });
    const { kill } = node;
    node.kill = async () => {
      const one = { node: name, atMs: Date.now(), goneMs: Infinity };
      if (node.isRunning) this.kills.push(one);
      await kill.call(node);
      one.goneMs = Date.now();
    };
    this.nodes[index] = node;
    return node.start();
  }

  /** Returns when the control planes have heard of all these nodes lately. */
  async untilLive(names) {
    await this.until(`${names.join(', ')} live`, async () => {
      const rows = await this.sql(`SELECT name FROM node WHERE last_seen > now() - interval '5 seconds'`);
      return names.every((name) => rows.some((row) => row.name === name));
    }, LIVE_MS);
  }

  /** One API call, answered as `{status, body}`. */
  async ask(method, path, { json, body, headers = {} } = {}) {
    const response = await fetch(this.api + path, {
      method, body: json === undefined ? body : JSON.stringify(json),
      headers: { authorization: `Bearer ${this.adminToken}`, ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  }

  /** As `ask`; answers the body, and throws on a status of 400 and above. */
  async call(method, path, options) {
    const { status, body } = await this.ask(method, path, options);
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  push(app, bundle, query = 'wait=60') {
    return this.call('POST', `/v1/apps/${app}/versions?${query}`, { body: bundle, headers: { 'content-type': 'application/gzip' } });
  }

  /** Pushes a tiny app that answers `text` (at most 16 ASCII characters, another one for each version) and `is` as appBundle has it. */
  async deploy(app, text, query = '', is = {}) {
    const pushed = await this.push(app, await appBundle(text, is), `wait=60&${query}`);
    this.ledger.name(app, pushed.version, text);
    return pushed;
  }

  /** Runs SQL on the database, for what no route shows. */
  async sql(text, values = []) {
    const client = new pg.Client({ connectionString: this.postgres.url });
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** A load on the nodes: see Load.begin. */
  load(options) {
    const load = Load.begin({ targets: this.nodes.map(({ node, address, port }) => ({ node, address, port })), ...options });
    this.loads.push(load);
    return load;
  }

  /** Does something to a node as operators do: the balancer, which is the load, sends nothing there meanwhile, and has its answers before. */
  async withoutRequests(node, work) {
    const targets = this.nodes.map(({ node: name, address, port }) => ({ node: name, address, port }));
    for (const load of this.loads) load.setTargets(targets.filter((target) => target.node !== node.node));
    await Promise.all(this.loads.map((load) => load.untilIdle(node.node)));
    await work();
    for (const load of this.loads) load.setTargets(targets);
  }

  /** Takes a node out of the balancer, stops and starts it, and puts it back. */
  restartInTurn(node) { return this.withoutRequests(node, () => node.restart()); }

  /** Returns when a node has said that it serves what the app's channel serves now. */
  untilServes(node, app) {
    return this.until(`${node.name} serves ${app}`, async () => (await this.sql(`
      SELECT 1 FROM node n, jsonb_array_elements(n.report->'statuses') s, channel c JOIN app a ON a.id = c.app_id
      WHERE n.name = $1 AND a.name = $2 AND a.deleted_at IS NULL AND c.name = 'production' AND s.value->>'app' = $2 AND s.value->>'channel' = c.name
        AND (s.value->>'generation')::int = c.generation`, [node.name, app])).length > 0);
  }

  /** Ends the load and says what became of its requests: see Ledger.judge. */
  async judge(load) {
    const rows = await load.stop();
    await this.ledger.look();
    return this.ledger.judge(rows, this.kills);
  }

  /** Returns when the condition holds; throws with `what` when it does not within the time. */
  async until(what, condition, timeoutMs = 60_000) {
    for (const begun = Date.now(); ; await sleep(25)) {
      if (await condition()) return;
      if (Date.now() - begun > timeoutMs) throw new Error(`it did not come to pass within ${timeoutMs} ms: ${what}`);
    }
  }

  /** Ends everything; its folder is removed unless it was given. */
  async stop() {
    for (const load of this.loads) load.child.kill('SIGKILL');
    await this.ledger?.end();
    await Promise.all(this.nodes.map((node) => node.kill()));
    await Promise.all(this.planes.map((plane) => plane.kill()));
    await Promise.all(this.nodes.map(({ link }) => link.close()));
    await this.postgres.stop();
    this.hosts?.remove();
    if (this.options.dir === undefined && this.dir !== undefined) await rm(this.dir, { recursive: true, force: true });
  }
}

/** The database server; a later start finds it on the port that it had. */
class Postgres {
  server = null;

  get url() { return this.known; }
  get pid() { return this.server?.pid; }

  async start() {
    this.server = await startPostgres({ dir: this.dir });
    this.known = this.server.url;
    // It outlives whoever started it, as a database should; ours is for nobody else.
    this.end ??= () => { if (this.server?.isRunning()) process.kill(this.server.pid, 'SIGQUIT'); };
    process.off('exit', this.end).on('exit', this.end);
  }

  async stop() {
    await this.server?.stop();
    this.server = null;
    if (this.end) process.off('exit', this.end);
  }
}
