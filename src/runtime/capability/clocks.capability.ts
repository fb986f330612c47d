import { perSlot, plain, type Capability } from './capability.js';
import type { GuestState } from './guest.js';
import { atVersions, RC_2023_10_18, SINCE_2023_10_18, SINCE_2023_11_10, SINCE_2026_03_15 } from './versions.js';
import { interrupted, Pollable } from './wait.js';

const NS_PER_MS = 1_000_000n;
/** The longest a timer of Node can run; longer waits are cut by the deadline long before. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Guests ask often, and `process` is looked up anew at each use. */
const { hrtime } = process;
const now = (): bigint => hrtime.bigint();

/** Rounded up: a timer must not fire before its time. */
function untilMs(when: bigint): number {
  const ms = (when - now() + NS_PER_MS - 1n) / NS_PER_MS;
  return ms > MAX_TIMER_MS ? MAX_TIMER_MS : Math.max(0, Number(ms));
}

class Timer extends Pollable {
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly when: bigint) {
    super();
  }

  ready(): boolean {
    return now() >= this.when;
  }

  protected override watch(): void {
    this.timer = setTimeout(() => {
      if (this.ready()) this.wake();
      else this.watch();
    }, untilMs(this.when));
  }

  protected override unwatch(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }
}

/** The async waits of 0.3: settled at once when the time has come, cancelled when the guest cancels or the invocation ends. */
function waitUntil(state: GuestState, when: bigint): undefined | (Promise<void> & { abort?: () => void }) {
  if (now() >= when) return undefined;
  const { invocation } = state;
  const timer = new Timer(when);
  let abort = () => {};
  const promise: Promise<void> & { abort?: () => void } = new Promise<void>((resolve, reject) => {
    const stop = () => {
      timer.unsubscribe(done);
      invocation.ending.off(interrupt);
    };
    const done = () => {
      stop();
      resolve();
    };
    const interrupt = () => {
      stop();
      reject(interrupted(invocation));
    };
    abort = done;
    if (invocation.ending.isOver) {
      interrupt();
      return;
    }
    timer.subscribe(done);
    invocation.ending.on(interrupt);
  });
  promise.abort = abort;
  return promise;
}

function wallClock(): { seconds: bigint; nanoseconds: number } {
  const ms = Date.now();
  return { seconds: BigInt(Math.floor(ms / 1000)), nanoseconds: (ms % 1000) * 1_000_000 };
}

const MS_RESOLUTION = { seconds: 0n, nanoseconds: 1_000_000 };

const monotonic = { now: plain(now), resolution: plain(() => 1n) };

/** No guest has a place: its clock shows UTC. */
const UTC = { utcOffset: 0, name: 'UTC', inDaylightSavingTime: false };

/** `wasi:clocks`. */
export const CLOCKS: readonly Capability[] = [
  ...atVersions(SINCE_2023_11_10, 'wasi:clocks/monotonic-clock', {
    ...monotonic,
    'subscribe-instant': plain((when: bigint) => new Timer(when)),
    'subscribe-duration': plain((duration: bigint) => new Timer(now() + duration)),
  }),
  ...atVersions([RC_2023_10_18], 'wasi:clocks/monotonic-clock', {
    ...monotonic,
    subscribe: plain((when: bigint, absolute: boolean) => new Timer(absolute ? when : now() + when)),
  }),
  ...atVersions([RC_2023_10_18], 'wasi:clocks/timezone', { display: plain(() => UTC), 'utc-offset': plain(() => 0) }),
  ...atVersions(SINCE_2023_10_18, 'wasi:clocks/wall-clock', { now: plain(wallClock), resolution: plain(() => MS_RESOLUTION) }),
  ...atVersions(SINCE_2026_03_15, 'wasi:clocks/monotonic-clock', {
    now: plain(now),
    'get-resolution': plain(() => 1n),
    'wait-until': perSlot((state) => (when: bigint) => waitUntil(state, when)),
    'wait-for': perSlot((state) => (duration: bigint) => waitUntil(state, now() + duration)),
  }),
  ...atVersions(SINCE_2026_03_15, 'wasi:clocks/system-clock', { now: plain(wallClock), 'get-resolution': plain(() => NS_PER_MS) }),
  ...atVersions(SINCE_2026_03_15, 'wasi:clocks/types', {}),
];
