// Rollouts judged on a fleet of real processes: several apps at a time, each with an open loop of requests of its own, of sticky users.
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFleet } from '../../test/fleet/harness/fleet.mjs';
import { quantile } from './rollout.mjs';

const RATE = 200;
const STRATEGY = 'steps:10@30s,50@30s';
/** One request in five is of a path that a bad version fails at. */
const PATHS = ['/', '/a', '/b', '/c', '/e'];
/** About a millisecond of the guest's own. */
const LOOPS = 300_000;
/** One that is not decided by then is ended. */
const GIVE_UP_MS = 180_000;

const KINDS = {
  'answers 500 to one request in five': { is: { failing: true }, target: ({ soon, rounds }) => soon === rounds, text: 'all within 15 s' },
  'twice as slow': { is: { loops: 2 * LOOPS }, target: ({ soon, rounds }) => soon === rounds, text: 'all within 15 s' },
  identical: { is: {}, target: ({ rolledBack, rounds }) => rolledBack <= Math.max(1, 0.04 * rounds), text: 'rolled back <= 4 %' },
};

/** One rollout of a version that is as `is` says. */
async function round(fleet, app, text, is) {
  await fleet.deploy(app, text, `rollout=${STRATEGY}`, { loops: LOOPS, ...is });
  let rollout;
  for (const begunMs = Date.now(); ; await sleep(250)) {
    rollout = await fleet.call('GET', `/v1/apps/${app}/rollouts/latest`);
    if (rollout.endedAt !== null || rollout.state === 'paused' || Date.now() - begunMs > GIVE_UP_MS) break;
  }
  if (rollout.endedAt === null) await fleet.call('POST', `/v1/apps/${app}/rollouts/${rollout.rollout}/abort`).catch(() => {});
  const [first] = rollout.steps;
  const seconds = rollout.endedAt === null ? NaN : (Date.parse(rollout.endedAt) - Date.parse(first.servedAt ?? first.askedAt)) / 1_000;
  const reason = rollout.steps.findLast(({ verdict }) => verdict)?.verdict?.reasons ?? [];
  return { app, state: rollout.state, seconds, signals: reason.map(({ code, signal }) => `${code} ${signal ?? ''}`.trim()), said: reason.map(({ message }) => message) };
}

/** @param rounds by kind; `apps`: so many at a time */
export async function real({ rounds, apps, nodes = 3 }) {
  const before = loadavg()[0];
  const fleet = await startFleet({ nodes, controlPlanes: 1 });
  let bad = false;
  console.log(`| version | rounds | promoted | rolled back | undecided | rolled back after s: median / 90 % / last | blamed | target | |\n|---|--:|--:|--:|--:|--:|---|---|---|`);
  try {
    const names = Array.from({ length: apps }, (_, i) => `app-${i + 1}`);
    for (const name of names) await fleet.deploy(name, `${name} 0`, '', { loops: LOOPS });
    const load = fleet.load({ rate: RATE * apps, apps: names, users: 2_000, paths: PATHS });
    await sleep(2_000);
    let next = 0;
    for (const [name, { is, target, text }] of Object.entries(KINDS)) {
      const ended = [];
      let left = rounds[name] ?? 0;
      await Promise.all(names.map(async (app) => {
        while (left-- > 0) ended.push(await round(fleet, app, `${app} ${++next}`, is));
      }));
      if (ended.length === 0) continue;
      const back = ended.filter(({ state }) => state === 'rolled_back');
      const times = back.map(({ seconds }) => seconds);
      const result = { rounds: ended.length, rolledBack: back.length, soon: times.filter((each) => each <= 15).length };
      const promoted = ended.filter(({ state }) => state === 'promoted').length;
      const holds = target(result);
      bad ||= !holds;
      const blamed = Object.entries(Object.groupBy(back.flatMap(({ signals }) => signals.slice(0, 1)), (each) => each)).map(([signal, all]) => `${signal} ${all.length}`).join(', ');
      const late = times.length === 0 ? '' : [0.5, 0.9, 1].map((level) => quantile(times, level)?.toFixed(1)).join(' / ');
      console.log(`| ${[name, ended.length, promoted, back.length, ended.length - promoted - back.length, late, blamed, text, holds ? 'pass' : 'short'].join(' | ')} |`);
      for (const each of ended.filter(({ state }) => state !== 'promoted' && state !== 'rolled_back')) console.error(`undecided: ${each.app}, ${each.said.join('; ')}`);
      if (name === 'identical') for (const each of back) console.error(`false alarm: ${each.app}, ${each.said.join('; ')}`);
    }
    const outcome = await fleet.judge(load);
    const failed = Object.fromEntries(Object.entries(outcome.failed).filter(([cause]) => !cause.startsWith('500 ')));
    console.log(`\n${outcome.requests} requests, ${RATE}/s for each of ${apps} apps; failed but for the answers of bad versions: ${JSON.stringify(failed)}; not allowed by the table: ${outcome.disallowed.length}`);
  } finally {
    await fleet.stop();
  }
  console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}; load of the machine ${before.toFixed(1)} before, ${loadavg()[0].toFixed(1)} after`);
  return !bad;
}
