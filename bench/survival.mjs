// `node bench/survival.mjs [requests]`: whether a runner's memory and handles stay flat over requests that end in every way there is:
// answered, trapped, stopped at a limit, waiting on a stack of their own and then answered or left by their client.
// `node bench/survival.mjs stacks [count]`: what so many invocations that wait at a time cost.
// Needs `npm run build` before. Exits with 1 when something grew or was not settled.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ThreadCpuClock } from '../dist/runtime/component/cpu-clock.js';
import { ClientGone } from '../dist/runtime/component/failure.js';
import { forwardComponent, loopComponent } from './lib/components.mjs';
import { Components } from './lib/component.mjs';

/** Invocations started before any of those that wait goes on. */
const BATCH = 40;
/** Of each such batch, how many do what; the rest is answered at once. */
const TRAPS = 4;
const RESUMED = 3;
const LEFT = 3;
/** One batch in so many has one that loops: each costs CPU_MS. */
const LOOP_EVERY = 100;
const CPU_MS = 20;
/** A part of the requests is for warming up: pools, compiled code, caches of V8. */
const WARM_UP = 0.2;
const ALLOWED_HEAP_BYTES = 3 * 2 ** 20;
/** V8 gives the mappings of stacks and memories back in its own time; a leak would be one for each request that waited. */
const ALLOWED_MAPS = 1_500;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const lines = (file) => readFileSync(file, 'latin1').split('\n').length - 1;

/** What a leak would show in. */
async function measure() {
  for (let i = 0; i < 3; i++) {
    await sleep(60);
    collect();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, externalBytes: external, rssBytes: rss, maps: lines('/proc/self/maps'), files: readdirSync('/proc/self/fd').length, resources: process.getActiveResourcesInfo().length };
}

async function batch(plain, asker, index) {
  let over = 0;
  const waiting = [];
  const done = () => over++;
  const ask = () => {
    let called;
    const run = asker('/', { over: done, chain: (exchange) => (called = exchange) });
    waiting.push({ run, answer: () => called.respond(200, []).end() });
  };
  for (let i = 0; i < BATCH; i++) {
    if (i < RESUMED + LEFT) ask();
    else if (i < RESUMED + LEFT + TRAPS) plain('/trap', { over: done });
    else plain(i === BATCH - 1 && index % LOOP_EVERY === 0 ? '/loop' : '/', { over: done });
  }
  // The call of the other component is handed over in a microtask.
  await new Promise(setImmediate);
  for (const [i, { run, answer }] of waiting.entries()) {
    if (i < RESUMED) answer();
    else run.stop(new ClientGone());
  }
  for (let turns = 0; over < BATCH; turns++) {
    if (turns > 10_000) throw new Error(`${BATCH - over} of ${BATCH} invocations were never settled`);
    await new Promise(setImmediate);
  }
}

async function survive(requests) {
  const clock = new ThreadCpuClock((error) => { throw error ?? new Error('the ticker ended'); });
  const components = new Components(clock);
  const plain = await components.load(await loopComponent(), { cpuMs: CPU_MS });
  const asker = await components.load(await forwardComponent());
  const batches = Math.ceil(requests / BATCH);
  let before;
  const began = performance.now();
  for (let i = 0; i < batches; i++) {
    if (i === Math.floor(batches * WARM_UP)) before = await measure();
    await batch(plain, asker, i);
  }
  const after = await measure();
  const seconds = (performance.now() - began) / 1e3;
  components.close();
  const { usage } = components;
  console.log(`${usage.requests} requests in ${seconds.toFixed(0)} s, ${usage.errors} errors, limits ${JSON.stringify(usage.limits)}`);
  for (const [what, value] of Object.entries(after)) console.log(`  ${what.padEnd(14)} ${before[what]} -> ${value}`);
  const loops = Math.ceil(batches / LOOP_EVERY);
  const faults = [
    usage.requests === batches * BATCH || 'requests were counted twice or not at all',
    usage.errors === batches * TRAPS + loops || 'the errors are not those that were asked for',
    usage.limits.COMPONENT_CPU_LIMIT === loops || 'loops were not stopped by name',
    after.heapBytes - before.heapBytes < ALLOWED_HEAP_BYTES || 'the heap grew',
    after.externalBytes - before.externalBytes < ALLOWED_HEAP_BYTES || 'memory outside of the heap grew',
    after.maps - before.maps < ALLOWED_MAPS || 'the process has more mappings: memories or stacks are kept',
    after.files <= before.files || 'files or sockets are kept',
    after.resources <= before.resources || 'timers or handles are kept',
  ].filter((fault) => fault !== true);
  await clock.close();
  return faults;
}

async function stacks(count) {
  const clock = new ThreadCpuClock((error) => { throw error ?? new Error('the ticker ended'); });
  const settings = { WHORL_RUNNER_INVOCATIONS: String(count), WHORL_LIMIT_CONCURRENCY: String(count), WHORL_LIMIT_QUEUED: String(count) };
  const components = new Components(clock, settings);
  const asker = await components.load(await forwardComponent());
  const first = await measure();
  const calls = [];
  const statuses = {};
  let over = 0;
  for (let i = 0; i < count; i++) {
    asker('/', { over: ({ status }) => { over++; statuses[status] = (statuses[status] ?? 0) + 1; }, chain: (exchange) => calls.push(exchange) });
    if (i % 500 === 499) await new Promise(setImmediate);
  }
  await sleep(10);
  const held = await measure();
  const waiting = calls.length;
  console.log(`${waiting} of ${count} wait: ${((held.rssBytes - first.rssBytes) / waiting / 1e3).toFixed(0)} kB RSS and ${((held.maps - first.maps) / waiting).toFixed(1)} mappings each`);
  for (const call of calls) call.respond(200, []).end();
  while (over < count) await new Promise(setImmediate);
  components.close();
  console.log(`all are over; by status: ${JSON.stringify(statuses)}`);
  await clock.close();
  return [];
}

const [mode = '1000000', count = '5000'] = process.argv.slice(2);
const faults = await (mode === 'stacks' ? stacks(Number(count)) : survive(Number(mode)));
for (const fault of faults) console.error(`FAILED: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
