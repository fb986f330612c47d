import { LimitTrap, Trap } from '#engine/run/host.js';
import type { GuestState, Invocation } from './guest.js';
import { slotOf } from './slot.js';

/** What a guest can wait for. A pollable handle is the thing itself: a stream, a future, a timer. */
export abstract class Pollable {
  private wakers: (() => void)[] = [];

  abstract ready(): boolean;

  /** The first waiter came: start what will call `wake`. */
  protected watch(): void {}

  /** The last waiter went. */
  protected unwatch(): void {}

  subscribe(wake: () => void): void {
    this.wakers.push(wake);
    if (this.wakers.length === 1) this.watch();
  }

  unsubscribe(wake: () => void): void {
    const at = this.wakers.indexOf(wake);
    if (at < 0) return;
    this.wakers.splice(at, 1);
    if (this.wakers.length === 0) this.unwatch();
  }

  wake(): void {
    if (this.wakers.length === 0) return;
    for (const waker of this.wakers.slice()) waker();
  }
}

/** Says that `attempt` of `waitFor` has to be tried again. */
export const PENDING = Symbol('pending');

/**
 * Waits until `attempt` gives something other than PENDING; it is tried at once and after each wake of one of `pollables`. Rejects
 * when the invocation ends first (deadline, hang-up, reset), so that no wait outlives it.
 */
export function waitFor<T>(state: GuestState, pollables: readonly Pollable[], attempt: () => T | typeof PENDING): Promise<T> {
  slotOf(state).flush();
  const { invocation } = state;
  return new Promise<T>((resolve, reject) => {
    const stop = () => {
      for (const pollable of pollables) pollable.unsubscribe(tryAgain);
      invocation.ending.off(abort);
    };
    const abort = () => {
      stop();
      reject(interrupted(invocation));
    };
    const tryAgain = () => {
      try {
        const value = attempt();
        if (value === PENDING) return false;
        stop();
        resolve(value);
      } catch (error) {
        stop();
        reject(error);
      }
      return true;
    };
    if (invocation.ending.isOver) {
      abort();
      return;
    }
    if (tryAgain()) return;
    for (const pollable of pollables) pollable.subscribe(tryAgain);
    invocation.ending.on(abort);
  });
}

/**
 * Waits for work of the host's own, such as a call to a database. Settles as `work` does, or rejects when the invocation ends first; what
 * `work` comes to is dropped then, so whoever began it must see to it that nothing is held (`state.defer`).
 */
export function settle<T>(state: GuestState, work: Promise<T>): Promise<T> {
  slotOf(state).flush();
  const { invocation } = state;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(interrupted(invocation));
    if (invocation.ending.isOver) {
      work.catch(() => undefined);
      return abort();
    }
    invocation.ending.on(abort);
    work.then(
      (value) => {
        invocation.ending.off(abort);
        resolve(value);
      },
      (error: unknown) => {
        invocation.ending.off(abort);
        reject(error as Error);
      },
    );
  });
}

/** Why a wait was cut short, as the trap that the guest gets. */
export function interrupted(invocation: Invocation): Trap {
  return Date.now() >= invocation.deadlineAt
    ? new LimitTrap('wall', 'the invocation reached its deadline while it waited')
    : new Trap('the invocation was cancelled while it waited');
}
