/** What is measured of a node and its machine. Times of one clock, in ms. */
export interface HealthMeasures {
  nowMs: number;
  /** Free for this user where the node's folder is; null: it cannot be told. */
  freeDiskBytes: number | null;
  /** When runners ended that were not to end. */
  runnerDeathsMs: readonly number[];
  /** Places for runners. */
  runners: number;
  /** When the agent's own event loop stood still, and for how long. */
  stalls: readonly { atMs: number; stalledMs: number }[];
  /** The control plane's clock less this one's; null: not known. */
  clockOffsetMs: number | null;
}

/** Room for one more of the largest bundles that are taken (100 MB): below it nothing new can be fetched, and usage may not be kept. */
export const MIN_FREE_DISK_BYTES = 100 * 1024 * 1024;
/** A node that is full is well again only with so much more, so that what it deletes itself does not bring back what was moved away. */
const FREE_DISK_AGAIN_BYTES = 2 * MIN_FREE_DISK_BYTES;
export const RECENTLY_MS = 60_000;
/** A runner that dies is started again within 50 ms to 10 s: each place emptied so often within a minute serves almost nothing. */
const DEATHS_OF_EACH_RUNNER = 3;
/** Half of what makes a node count as lost: it may be taken for lost at any time. */
export const STALL_MS = 2_500;
/** One is a machine that was asleep. */
const MAX_STALLS = 3;
/** From here on certificates and tokens that are valid look as if they were not yet or not any more; Kerberos takes the same bound. */
const MAX_CLOCK_OFFSET_MS = 5 * 60_000;

/** Why a node cannot serve as it should, in words with figures; null: it can. @param before what it said last */
export function sicknessOf(measures: HealthMeasures, before: string | null): string | null {
  return fullDisk(measures, before) ?? crashLoop(measures) ?? stalling(measures) ?? wrongClock(measures);
}

const DISK = 'the disk is full';

function fullDisk({ freeDiskBytes }: HealthMeasures, before: string | null): string | null {
  if (freeDiskBytes === null) return null;
  const least = before?.startsWith(DISK) ? FREE_DISK_AGAIN_BYTES : MIN_FREE_DISK_BYTES;
  // In words that stay the same while it changes little: each change of them is a report.
  return freeDiskBytes < least ? `${DISK}: less than ${least / 1024 / 1024} MB are free` : null;
}

function crashLoop({ nowMs, runnerDeathsMs, runners }: HealthMeasures): string | null {
  const deaths = runnerDeathsMs.filter((atMs) => nowMs - atMs < RECENTLY_MS).length;
  const bound = DEATHS_OF_EACH_RUNNER * runners;
  return deaths >= bound ? `runners end again and again: ${bound} times or more within ${RECENTLY_MS / 1_000} s` : null;
}

function stalling({ nowMs, stalls }: HealthMeasures): string | null {
  const recent = stalls.filter(({ atMs, stalledMs }) => nowMs - atMs < RECENTLY_MS && stalledMs >= STALL_MS).length;
  return recent >= MAX_STALLS ? `its own process stood still for ${STALL_MS / 1_000} s or more, ${MAX_STALLS} times or more within ${RECENTLY_MS / 1_000} s` : null;
}

function wrongClock({ clockOffsetMs }: HealthMeasures): string | null {
  if (clockOffsetMs === null || Math.abs(clockOffsetMs) < MAX_CLOCK_OFFSET_MS) return null;
  return `its clock is ${clockOffsetMs > 0 ? 'behind' : 'ahead of'} the control plane's by ${MAX_CLOCK_OFFSET_MS / 60_000} minutes or more`;
}
