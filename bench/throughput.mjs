// Requests per second beside bare node:http, jco serve and workerd, all in one run. Servers run one after the other under load; all of
// them are up the whole time.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackage } from '../scripts/lib/install-package.mjs';
import { ROOT } from './lib/platform.mjs';
import { COMPONENTS } from './throughput/components.mjs';
import { measureEcho } from './throughput/echo.mjs';
import { Load } from './throughput/load.mjs';
import { measure } from './throughput/measure.mjs';
import { echoTable, throughputTable } from './throughput/report.mjs';
import { allCores, oneProcess } from './throughput/rows.mjs';
import { startBare, startJco, startWorkerd } from './throughput/servers.mjs';
import { judge } from './throughput/targets.mjs';
import { startWhorl } from './throughput/whorl.mjs';

const ROUNDS = 3;
/** Of time for the rounds; there is one at least. */
const BUDGET_MS = { one: 170_000, all: 70_000 };
/** From so many cores on, two processes of the load generator leave room for what they measure. */
const CORES_FOR_TWO = 4;
/** jco's own default is 50, each with a copy of the component; what it does under steady load is the same. */
const JCO_WORKERS = 8;
const JCO_COMPONENTS = ['tiny', 'json', 'js'];
const JCO_MODES = ['shared', 'instance', 'worker'];

const say = (line) => process.stderr.write(`${line}\n`);

/** Prints its tables; returns its rows for the table of targets, and its figures. */
export async function throughput() {
  await installPackage(join(ROOT, 'bench'), { say: () => say('installing the peers') });
  const dir = await mkdtemp(join(tmpdir(), 'whorl-bench-peers-'));
  const cores = availableParallelism();
  const load = new Load(cores >= CORES_FOR_TWO ? 2 : 1);
  const started = [];
  const keep = async (starting) => {
    const server = await starting;
    started.push(server);
    return server;
  };
  try {
    say('starting servers');
    const bare = await keep(startBare(1));
    const bareAll = await keep(startBare(cores));
    const servers = { bare, workerd: await keep(startWorkerd()) };
    for (const component of JCO_COMPONENTS) {
      const wasm = join(dir, `${component}.wasm`);
      await writeFile(wasm, await COMPONENTS[component]());
      await Promise.all(JCO_MODES.map(async (mode) => { servers[`jco:${mode}:${component}`] = await keep(startJco(wasm, mode, JCO_WORKERS)); }));
    }
    const single = await keep(startWhorl(1));
    const every = await keep(startWhorl(cores));
    for (const [name, app] of Object.entries(single.apps)) servers[`one:${name}`] = app;
    for (const [name, app] of Object.entries(every.apps)) servers[`all:${name}`] = app;

    const common = { load, servers, rounds: ROUNDS, say };
    const one = await measure({ ...common, budgetMs: BUDGET_MS.one, rows: oneProcess(single.apps), bare, bareName: 'bare node:http' });
    const all = await measure({ ...common, budgetMs: BUDGET_MS.all, rows: allCores(every.apps), bare: bareAll, bareName: `bare node:http, ${cores} processes` });
    const echo = await measureEcho({ bare, servers: { 'Whorl fresh, echo-03': single.apps['echo-03'] }, say });
    console.log(throughputTable('One process each (Whorl: one runner; CPU and RSS with its supervisor)', one));
    console.log(throughputTable(`${cores} processes each, as many as cores`, all));
    console.log(echoTable(echo));
    return { rows: judge({ one, all, echo, cores }), figures: { one, all, echo } };
  } finally {
    load.stop();
    await Promise.all(started.map((server) => server.stop()));
    await rm(dir, { recursive: true, force: true });
  }
}
