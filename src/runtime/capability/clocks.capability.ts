import { perSlot, plain, type Capability } from './capability.js';
import type { GuestState } from './guest.js';
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

export const CLOCKS: readonly Capability[] = [
  {
    name: 'wasi:clocks/monotonic-clock',
    version: '0.2',
    functions: {
      now: plain(now),
      resolution: plain(() => 1n),
      'subscribe-instant': plain((when: bigint) => new Timer(when)),
      'subscribe-duration': plain((duration: bigint) => new Timer(now() + duration)),
    },
  },
  { name: 'wasi:clocks/wall-clock', version: '0.2', functions: { now: plain(wallClock), resolution: plain(() => MS_RESOLUTION) } },
  {
    name: 'wasi:clocks/monotonic-clock',
    version: '0.3',
    functions: {
      now: plain(now),
      'get-resolution': plain(() => 1n),
      'wait-until': perSlot((state) => (when: bigint) => waitUntil(state, when)),
      'wait-for': perSlot((state) => (duration: bigint) => waitUntil(state, now() + duration)),
    },
  },
  { name: 'wasi:clocks/system-clock', version: '0.3', functions: { now: plain(wallClock), 'get-resolution': plain(() => NS_PER_MS) } },
  { name: 'wasi:clocks/types', version: '0.3', functions: {} },
];
