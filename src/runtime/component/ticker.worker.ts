import { openSync, readFileSync, readSync } from 'node:fs';
import { setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';

/**
 * The thread that keeps the clock of guests: it writes the CPU time of the thread that runs them into a shared page. Every
 * millisecond while that thread works; when it sleeps, seldom, until it is woken. A thread that does not move because other processes
 * hold the CPU does not sleep: its guest may go on at any moment.
 */
const { page, words, pid } = workerData as { page: SharedArrayBuffer; words: SharedArrayBuffer; pid: number };
const clock = new BigInt64Array(page, 0, 1);
/** 0: slept on, set to wake; 1: whether the ticker is in its long sleep; 2: counts turns. */
const state = new Int32Array(words);

const BUSY_MS = 1;
const IDLE_MS = 200;
const TURNS_UNTIL_IDLE = 100;
const HIGHEST_PRIORITY = -20;
const text = Buffer.alloc(128);

/** First field of schedstat: ns that the thread has spent on a CPU. The main thread's id is the process's. */
function openCpuClock(): () => bigint {
  try {
    const fd = openSync(`/proc/${pid}/task/${pid}/schedstat`, 'r');
    const read = () => BigInt(text.toString('latin1', 0, readSync(fd, text, 0, text.length, 0)).split(' ', 1)[0]!);
    if (read() > 0n) return read;
  } catch {
    // No procfs, or a kernel without scheduler statistics: the wall clock is the next best bound.
  }
  return () => process.hrtime.bigint();
}

/** Whether the thread waits for something other than a CPU: the state behind the name in parentheses, which may hold anything. */
function isAsleep(): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'R';
  } catch {
    return false;
  }
}

/** Where it is allowed: a clock that waits for a CPU stops nobody. On Linux 0 is this thread alone. */
function hurry(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, HIGHEST_PRIORITY);
  } catch {
    // Not without CAP_SYS_NICE.
  }
}

hurry();
const read = openCpuClock();
let last = 0n;
let idleTurns = 0;
for (;;) {
  const now = read();
  Atomics.store(clock, 0, now);
  Atomics.add(state, 2, 1);
  idleTurns = now - last > 100_000n ? 0 : idleTurns + 1;
  last = now;
  if (idleTurns > TURNS_UNTIL_IDLE && !isAsleep()) idleTurns = 0;
  const idle = idleTurns > TURNS_UNTIL_IDLE;
  if (idle) Atomics.store(state, 1, 1);
  Atomics.wait(state, 0, 0, idle ? IDLE_MS : BUSY_MS);
  if (idle && Atomics.exchange(state, 0, 0) === 1) idleTurns = 0;
  Atomics.store(state, 1, 0);
}
