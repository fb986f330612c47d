// First requests to apps that are on a node's disk but not in memory, and what many idle apps cost. Against a node process of its own
// whose control plane holds nothing but assignments and blobs.
import { setTimeout as sleep } from 'node:timers/promises';
import { assignment, copies } from './density/apps.mjs';
import { ControlPlane } from './density/control-plane.mjs';
import { Node } from './density/node.mjs';
import { COMPONENTS } from './lib/components.mjs';
import { get, percentiles } from './lib/load.mjs';

const APPS = 5_000;
const BIG_APPS = 20;
const SMALL_FIRSTS = 100;
/** Starts of the node whose very first request is measured. */
const STARTS = 5;
const RUNNERS = 1;
const DEPLOY_TIMEOUT_MS = 90_000;
/** For what start and deploys have left behind to be collected. */
const SETTLE_MS = 3_000;

const say = (line) => process.stderr.write(`${line}\n`);

/** ms of the first request to an app; throws unless it is answered with 200. */
async function first(node, app) {
  const { status, ms, body } = await get({ port: node.port, host: `${app}.localhost`, path: '/', timeoutMs: 30_000 });
  if (status !== 200) throw new Error(`${app}: ${status} ${body}`);
  return ms;
}

async function firsts(node, apps) {
  const times = [];
  for (const app of apps) times.push(await first(node, app));
  return times;
}

/** Starts a node that has these apps on its disk and has served none of them since; with the ms that its start took. */
async function nodeWith(control, node, builds) {
  const assignments = (generation, isServed) => Object.entries(builds).map(([app, build]) => assignment(app, generation, build, isServed));
  await node.start();
  control.assign(assignments(1, false));
  await control.until(({ prepared }) => prepared.includes(1), DEPLOY_TIMEOUT_MS);
  control.assign(assignments(2, true));
  await control.until(({ generation }) => generation === 2, DEPLOY_TIMEOUT_MS);
  return restart(control, node);
}

async function restart(control, node) {
  await node.stop();
  control.statuses = [];
  const startMs = performance.now();
  await node.start();
  await control.until(({ generation }) => generation === 2, DEPLOY_TIMEOUT_MS);
  const readyMs = performance.now() - startMs;
  await sleep(SETTLE_MS);
  return readyMs;
}

async function withNode(use) {
  const control = await new ControlPlane().start();
  const node = new Node(control, RUNNERS);
  try {
    return await use(control, node);
  } finally {
    await node.remove();
    control.stop();
  }
}

const named = (prefix, count, make) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}-${i}`, make(i)]));

/** A node with few apps: what it weighs, and first requests with nothing else on it. */
function few() {
  return withNode(async (control, node) => {
    const [small, big] = await Promise.all(['tiny', 'js'].map(async (name) => copies(control, await COMPONENTS[name]())));
    await nodeWith(control, node, { ...named('small', SMALL_FIRSTS + 1, small), ...named('big', BIG_APPS, big) });
    const rss = node.rssBytes();
    // The very first request of a process, and of the benchmark's own client, is of its own kind.
    await first(node, `small-${SMALL_FIRSTS}`);
    const veryFirst = [];
    for (let i = 0; i < STARTS; i++) {
      await restart(control, node);
      veryFirst.push(await first(node, `small-${SMALL_FIRSTS}`));
    }
    return { rss, veryFirst, small: await firsts(node, Object.keys(named('small', SMALL_FIRSTS, () => 0))), big: await firsts(node, Object.keys(named('big', BIG_APPS, () => 0))) };
  });
}

function many(count) {
  return withNode(async (control, node) => {
    const small = await copies(control, await COMPONENTS.tiny());
    const readyMs = await nodeWith(control, node, named('small', count, small));
    const rss = node.rssBytes();
    await first(node, `small-${count - 1}`);
    return { readyMs, rss, small: await firsts(node, Array.from({ length: SMALL_FIRSTS }, (_, i) => `small-${i * Math.floor((count - 1) / SMALL_FIRSTS)}`)) };
  });
}

/** Rows for the table of targets, and the figures. */
export async function density(count = APPS) {
  say('first requests, few apps');
  const one = await few();
  say(`${count} apps on one node`);
  const all = await many(count);
  const [small, big, crowded, veryFirst] = [one.small, one.big, all.small, one.veryFirst].map(percentiles);
  const perAppKb = (all.rss - one.rss) / 1e3 / (count - SMALL_FIRSTS - BIG_APPS - 1);
  const below = (what, value, limit, note = '') => ({ what, value, target: `< ${limit}`, ok: value < limit, note });
  const spread = ({ p50, p99, max }) => `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)}`;
  const rows = [
    below('first request, tiny, on disk but not in memory: p50, ms', small.p50, 10, spread(small)),
    below('first request, js (12 MB), on disk but not in memory: p50, ms', big.p50, 100, spread(big)),
    below('first request of all to a node that has just started, tiny: p50, ms', veryFirst.p50, 10, spread(veryFirst)),
    below(`${count} apps: RSS of each while idle, kB (node of ${RUNNERS} runner)`, perAppKb, 150, `${(all.rss / 1e6).toFixed(0)} MB in all, ${(one.rss / 1e6).toFixed(0)} MB with ${SMALL_FIRSTS + BIG_APPS + 1}`),
    below(`${count} apps: start of the node until all are served, s`, all.readyMs / 1e3, 10),
    below(`${count} apps: first request, times that with ${SMALL_FIRSTS + BIG_APPS + 1} apps`, crowded.p50 / small.p50, 1.25, spread(crowded)),
  ];
  return { rows, figures: { firstMs: { small, big, crowded, veryFirst }, perAppKb, readyMs: all.readyMs } };
}
