// `node bench/deadline.mjs [trials] [limit in ms] [busy processes]`: how late a guest that loops for ever is stopped, in CPU time of its
// thread, while other processes want every core twice over. Needs `npm run build` before.
import { spawn } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { ThreadCpuClock } from '../dist/runtime/component/cpu-clock.js';
import { loopComponent } from './lib/components.mjs';
import { Guest, prepare } from './lib/guest.mjs';

const TARGET_MS = 10;
const WARM_UP = 5;

const threadCpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e3;
};
const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

/** Stops `trials` loops and gives how far each ran past `limitMs`, sorted. */
async function overshoots(guest, trials, limitMs) {
  const late = [];
  for (let i = 0; i < trials + WARM_UP; i++) {
    const began = threadCpuMs();
    const error = await guest.handle({ path: '/loop', cpuMs: limitMs }).then(() => new Error('the loop ended'), (reason) => reason);
    const usedMs = threadCpuMs() - began;
    if (error.limit !== 'cpu') throw error;
    if (i >= WARM_UP) late.push(usedMs - limitMs);
    guest.release();
    guest.reset();
    guest.instantiate();
  }
  return late.toSorted((a, b) => a - b);
}

/**
 * Rows for a table: overshoot in ms of the thread's CPU clock, on a machine left alone and with `busy` processes that never sleep.
 * Both from one process, so that they are about the same compiled code.
 */
export async function deadline({ trials = 200, limitMs = 50, busy = availableParallelism() * 2 } = {}) {
  const clock = new ThreadCpuClock((error) => { throw error ?? new Error('the ticker ended'); });
  const guest = new Guest(prepare(await loopComponent(), { clock }).program);
  const rows = [];
  for (const processes of [0, busy]) {
    const hogs = Array.from({ length: processes }, () => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
    try {
      const late = await overshoots(guest, trials, limitMs);
      const max = late.at(-1);
      rows.push({ what: `a loop stopped at ${limitMs} ms of CPU, ${processes} busy processes: late by, ms`, p50: quantile(late, 0.5), p99: quantile(late, 0.99), max, target: `<= ${TARGET_MS}`, ok: max <= TARGET_MS });
    } finally {
      for (const hog of hogs) hog.kill('SIGKILL');
    }
  }
  guest.close();
  await clock.close();
  return rows;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [trials, limitMs, busy] = process.argv.slice(2).map(Number);
  console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`);
  for (const { what, p50, p99, max, target } of await deadline({ trials, limitMs, busy })) {
    console.log(`${what}: p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(2)}, max ${max.toFixed(2)} (${target})`);
  }
}
