// Requests per second beside bare node:http, jco serve and workerd, all in one run. One app or peer after the other takes turns with bare
// node:http under load. `node bench/throughput.mjs TEXT…` measures only rows whose name holds one of the texts.
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
import { BareRounds, measure } from './throughput/measure.mjs';
import { echoTable, targetTable, throughputTable } from './throughput/report.mjs';
import { ALL_CORES, ONE_PROCESS } from './throughput/rows.mjs';
import { startBare, startJco, startWorkerd } from './throughput/servers.mjs';
import { judge } from './throughput/targets.mjs';
import { startWhorl } from './throughput/whorl.mjs';

const ROUNDS = 3;
/** From so many cores on, two processes of the load generator leave room for what they measure. */
const CORES_FOR_TWO = 4;
/** jco's own default is 50, each with a copy of the component; what it does under steady load is the same. */
const JCO_WORKERS = 8;
const ECHO = 'Whorl fresh, echo-03';

const say = (line) => process.stderr.write(`${line}\n`);

/** Starts what a stage needs: its servers by name, and how to stop them. */
async function start({ kind, mode, component, components, reused }, { bare, runners }) {
  if (kind === 'bare') return { servers: { bare }, stop: async () => {} };
  if (kind === 'whorl') {
    const { apps, stop } = await startWhorl(runners, components, reused);
    return { servers: apps, stop };
  }
  if (kind === 'workerd') {
    const workerd = await startWorkerd();
    return { servers: { workerd }, stop: () => workerd.stop() };
  }
  const dir = await mkdtemp(join(tmpdir(), 'whorl-bench-jco-'));
  const wasm = join(dir, `${component}.wasm`);
  await writeFile(wasm, await COMPONENTS[component]());
  const jco = await startJco(wasm, mode, JCO_WORKERS);
  return { servers: { jco }, stop: () => jco.stop().then(() => rm(dir, { recursive: true, force: true })) };
}

/** Measures stage after stage, each beside bare servers of as many processes. */
async function measureStages(stages, { load, processes, bareName }) {
  if (stages.length === 0) return [];
  const bare = await startBare(processes);
  const bareRounds = new BareRounds();
  const figures = [];
  try {
    for (const stage of stages) {
      say(`${stage.rows.map(({ name }) => name).join('; ')}: ${processes === 1 ? 'one process' : `${processes} processes`}`);
      const { servers, stop } = await start(stage, { bare, runners: processes });
      try {
        figures.push(...await measure({ load, rows: stage.rows, servers, processes, bare, bareRounds, rounds: ROUNDS, say }));
      } finally {
        await stop();
      }
    }
  } finally {
    await bare.stop();
  }
  return [...bareRounds.summaries(bareName), ...figures];
}

async function measureEchoes() {
  const bare = await startBare(1);
  try {
    const { apps, stop } = await startWhorl(1, ['echo-03']);
    return await measureEcho({ bare, servers: { [ECHO]: apps['echo-03'] }, say }).finally(stop);
  } finally {
    await bare.stop();
  }
}

/** Prints its tables; returns its rows for the table of targets, and its figures. `only`: texts in the names of rows; none: all rows. */
export async function throughput(only = []) {
  const wanted = ({ name }) => only.length === 0 || only.some((text) => name.includes(text));
  const filtered = (stages) => stages.map((stage) => ({ ...stage, rows: stage.rows.filter(wanted) })).filter(({ rows }) => rows.length > 0);
  const cores = availableParallelism();
  const load = new Load(cores >= CORES_FOR_TWO ? 2 : 1);
  try {
    say(`load of the machine before: ${loadavg()[0].toFixed(1)}`);
    const oneStages = filtered(ONE_PROCESS);
    if (oneStages.some(({ kind }) => kind === 'workerd' || kind === 'jco')) await installPackage(join(ROOT, 'bench'), { say: () => say('installing the peers') });
    const one = await measureStages(oneStages, { load, processes: 1, bareName: 'bare node:http' });
    const all = await measureStages(filtered(ALL_CORES), { load, processes: cores, bareName: `bare node:http, ${cores} processes` });
    const echo = wanted({ name: ECHO }) ? await measureEchoes() : [];
    if (one.length > 0) console.log(throughputTable('One process each (Whorl: one runner; CPU and RSS with its supervisor)', one));
    if (all.length > 0) console.log(throughputTable(`${cores} processes each, as many as cores`, all));
    if (echo.length > 0) console.log(echoTable(echo));
    const unfit = unfitness(one);
    if (unfit) console.log(`\nNot judged: ${unfit}`);
    const rows = judge({ one, all, echo, cores }).map((row) => (unfit ? { ...row, ok: false, unsure: true } : row));
    return { rows, figures: { unfit, one, all, echo } };
  } finally {
    load.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { rows } = await throughput(process.argv.slice(2));
  if (rows.length > 0) console.log(targetTable(rows));
}
