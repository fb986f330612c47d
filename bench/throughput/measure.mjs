// Rounds over rows that take turns with bare node:http, so that each meets the same machine as what it is compared with.
import { median } from '../lib/statistics.mjs';
import { cpuBetweenMs, cpuMs, rssBytes } from './processes.mjs';
import { REQUESTS } from './rows.mjs';

const WARM_UP_MS = 300;
const MEASURE_MS = 800;
/** Before the first round: V8 has compiled what runs often for good only after tens of thousands of requests. */
const COLD_MS = 3_000;
const COLD_CONNECTIONS = 32;

/** One server under load: rate, latencies, CPU of server and generator. */
async function once(load, { server, ask, connections }) {
  const pids = server.pids();
  let [from, to] = [[], []];
  const onMeasure = (when) => { if (when === 'start') from = cpuMs(pids); else to = cpuMs(pids); };
  const seen = await load.run({ port: server.port, request: REQUESTS[ask](server.host), connections, warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS, onMeasure });
  const usedMs = cpuBetweenMs(from, to);
  return {
    ...seen,
    cpuUs: (usedMs * 1e3) / seen.requests,
    cores: usedMs / MEASURE_MS,
    loadCores: seen.loadCpuMs / MEASURE_MS,
    rssBytes: rssBytes(pids),
  };
}

/** Medians over the rounds, of what bare node:http did just before and after too. */
function summary(name, ask, connections, rounds) {
  const figure = (of) => median(rounds.map(of));
  return {
    name, ask, connections,
    perSecond: figure(({ own }) => own.perSecond),
    ratio: figure(({ own, bare }) => own.perSecond / bare.perSecond),
    p50: figure(({ own }) => own.p50),
    p99: figure(({ own }) => own.p99),
    cpuRatio: figure(({ own, bare }) => bare.cpuUs / own.cpuUs),
    addedP99: figure(({ own, bare }) => own.p99 - bare.p99),
    cpuUs: figure(({ own }) => own.cpuUs),
    cores: figure(({ own }) => own.cores),
    loadCores: figure(({ own }) => own.loadCores),
    rssBytes: figure(({ own }) => own.rssBytes),
    errors: rounds.reduce((sum, { own }) => sum + own.errors, 0),
    firstError: rounds.map(({ own }) => own.firstError).find(Boolean) ?? '',
  };
}

const mean = (a, b) => ({ perSecond: (a.perSecond + b.perSecond) / 2, p99: (a.p99 + b.p99) / 2, cpuUs: (a.cpuUs + b.cpuUs) / 2 });

/** What bare node:http did beside all rows: its rounds by the number of concurrent requests. */
export class BareRounds {
  #levels = new Map();

  add(connections, own) {
    if (!this.#levels.has(connections)) this.#levels.set(connections, []);
    this.#levels.get(connections).push({ own, bare: own });
  }

  summaries(name) {
    return [...this.#levels].sort(([a], [b]) => a - b).map(([connections, rounds]) => summary(name, 'get', connections, rounds));
  }
}

/**
 * Measures `rows` in `rounds` rounds. Each row's figures are compared with those of `bare` directly before and after it, which also go to
 * `bareRounds`. `processes`: of each server.
 */
export async function measure({ load, rows, servers, processes, bare, bareRounds, rounds, say }) {
  const cells = rows.flatMap((row) => row.concurrent.map((connections) => ({ ...row, server: servers[row.server], connections, rounds: [] })));
  for (const { port, host, ask } of [{ ...bare, ask: 'get' }, ...rows.map((row) => ({ ...servers[row.server], ask: row.ask }))]) {
    await load.run({ port, request: REQUESTS[ask](host), connections: COLD_CONNECTIONS, measureMs: COLD_MS * Math.sqrt(processes) });
  }
  for (let round = 0; round < rounds; round++) {
    for (const level of new Set(cells.map(({ connections }) => connections))) {
      const askBare = async () => {
        const own = await once(load, { server: bare, ask: 'get', connections: level });
        bareRounds.add(level, own);
        return own;
      };
      let before = await askBare();
      for (const cell of cells.filter(({ connections }) => connections === level)) {
        const own = await once(load, cell);
        if (own.errors > 0) say(`  ${cell.name}, ${cell.connections} concurrent: ${own.errors} errors, ${own.firstError.split('\r\n', 1)[0]}`);
        const after = await askBare();
        cell.rounds.push({ own, bare: mean(before, after) });
        before = after;
      }
    }
  }
  return cells.map(({ name, ask, connections, rounds: seen }) => summary(name, ask, connections, seen));
}
