// Requests per second beside bare node:http, jco serve and workerd, all in one run. The servers are all up the whole time, and take turns
// under load. `node bench/throughput.mjs TEXT…` measures only rows whose name holds one of the texts.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackage } from '../scripts/lib/install-package.mjs';
import { COMPONENTS } from './lib/components.mjs';
import { ROOT } from './lib/platform.mjs';
import { measureEcho } from './throughput/echo.mjs';
import { unfitness } from './throughput/fitness.mjs';
import { Load } from './throughput/load.mjs';
import { measure } from './throughput/measure.mjs';
import { echoTable, targetTable, throughputTable } from './throughput/report.mjs';
import { allCores, oneProcess } from './throughput/rows.mjs';
import { startBare, startJco, startWorkerd } from './throughput/servers.mjs';
import { judge } from './throughput/targets.mjs';
import { startWhorl } from './throughput/whorl.mjs';

const ROUNDS = 3;
/** Of time for the rounds; there is one at least. */
const BUDGET_MS = { one: 300_000, all: 150_000 };
/** From so many cores on, two processes of the load generator leave room for what they measure. */
const CORES_FOR_TWO = 4;
/** jco's own default is 50, each with a copy of the component; what it does under steady load is the same. */
const JCO_WORKERS = 8;
const ECHO = 'Whorl fresh, echo-03';

const say = (line) => process.stderr.write(`${line}\n`);

/** What has been started, to be stopped in the end whatever happens. */
class Servers {
  all = {};
  #started = [];
  #dir;

  async keep(starting) {
    const server = await starting;
    this.#started.push(server);
    return server;
  }

  async addPeers(jcoServers) {
    await installPackage(join(ROOT, 'bench'), { say: () => say('installing the peers') });
    this.#dir = await mkdtemp(join(tmpdir(), 'whorl-bench-peers-'));
    this.all.workerd = await this.keep(startWorkerd());
    for (const name of jcoServers) {
      const [, mode, component] = name.split(':');
      const wasm = join(this.#dir, `${component}.wasm`);
      await writeFile(wasm, await COMPONENTS[component]());
      this.all[name] = await this.keep(startJco(wasm, mode, JCO_WORKERS));
    }
  }

  async addWhorl(group, runners) {
    const { apps } = await this.keep(startWhorl(runners));
    for (const [name, app] of Object.entries(apps)) this.all[`${group}:${name}`] = app;
    return apps;
  }

  async stop() {
    await Promise.all(this.#started.map((server) => server.stop()));
    if (this.#dir) await rm(this.#dir, { recursive: true, force: true });
  }
}

/** Prints its tables; returns its rows for the table of targets, and its figures. `only`: texts in the names of rows; none: all rows. */
export async function throughput(only = []) {
  const wanted = ({ name }) => only.length === 0 || only.some((text) => name.includes(text));
  const cores = availableParallelism();
  const load = new Load(cores >= CORES_FOR_TWO ? 2 : 1);
  const servers = new Servers();
  try {
    say(`starting servers; load of the machine before: ${loadavg()[0].toFixed(1)}`);
    const bare = await servers.keep(startBare(1));
    const bareAll = await servers.keep(startBare(cores));
    servers.all.bare = bare;
    const single = await servers.addWhorl('one', 1);
    const every = await servers.addWhorl('all', cores);
    const oneRows = oneProcess(single).filter(wanted);
    const allRows = allCores(every).filter(wanted);
    const jco = oneRows.map(({ server }) => server).filter((server) => server.startsWith('jco:'));
    if (jco.length > 0 || oneRows.some(({ server }) => server === 'workerd')) await servers.addPeers(jco);

    const common = { load, servers: servers.all, rounds: ROUNDS, say };
    const one = await measure({ ...common, rows: oneRows, processes: 1, budgetMs: BUDGET_MS.one, bare, bareName: 'bare node:http' });
    const all = await measure({ ...common, rows: allRows, processes: cores, budgetMs: BUDGET_MS.all, bare: bareAll, bareName: `bare node:http, ${cores} processes` });
    const echo = wanted({ name: ECHO }) ? await measureEcho({ bare, servers: { [ECHO]: single['echo-03'] }, say }) : [];
    if (one.length > 0) console.log(throughputTable('One process each (Whorl: one runner; CPU and RSS with its supervisor)', one));
    if (all.length > 0) console.log(throughputTable(`${cores} processes each, as many as cores`, all));
    if (echo.length > 0) console.log(echoTable(echo));
    const unfit = unfitness(one);
    if (unfit) console.log(`\nNot judged: ${unfit}`);
    const rows = judge({ one, all, echo, cores }).map((row) => (unfit ? { ...row, ok: false, unsure: true } : row));
    return { rows, figures: { unfit, one, all, echo } };
  } finally {
    load.stop();
    await servers.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { rows } = await throughput(process.argv.slice(2));
  if (rows.length > 0) console.log(targetTable(rows));
}
