import type { GuestState, Invocation } from '../guest.js';
import { interrupted, settle } from '../wait.js';
import type { AppSessions, PooledSession, SessionSource } from './app-sessions.js';

/** Where the sessions of a connection come from, asked anew for each invocation: grants may have changed. */
export interface SessionAccess<S extends PooledSession> {
  sessions: AppSessions<S>;
  source: SessionSource<S>;
}

/**
 * What a guest holds as `connection`: one session of the server, so that its transactions and settings last from call to call. Calls take
 * turns. The session goes back when the invocations that used it are over, and a new one is taken if the guest has kept the handle until
 * then (an instance that serves several requests).
 */
export class Connection<S extends PooledSession> {
  private session: S | null = null;
  private from: SessionAccess<S> | null = null;
  /** Those that use it, with what waits for their end. */
  private readonly holders = new Map<Invocation, () => void>();
  /** The invocation that waits for the server's answer now. */
  private running: Invocation | null = null;
  private turns: Promise<unknown> = Promise.resolve();
  private isDropped = false;

  /** @param access throws what the guest gets as an error when it may not connect */
  constructor(private readonly access: (state: GuestState) => SessionAccess<S>) {}

  /** Takes a session if there is none, so that an address that leads nowhere is told at once. */
  open(state: GuestState): Promise<this> {
    return this.call(state, () => Promise.resolve(this));
  }

  /** Gives `work` the session when earlier calls are done. Rejects with what opening or `work` throw, or when the invocation ends. */
  call<T>(state: GuestState, work: (session: S) => Promise<T>): Promise<T> {
    return settle(state, this.turn(state, work, null));
  }

  /**
   * As `call`, for work that goes on after it has given its result: the connection is busy until the promise `rest` of the result settles.
   */
  stream<T extends { rest: Promise<unknown> }>(state: GuestState, work: (session: S) => Promise<T>): Promise<T> {
    return settle(state, this.turn(state, work, ({ rest }) => rest));
  }

  /** The guest dropped its handle. What is under way ends first. */
  drop(): void {
    this.isDropped = true;
    if (!this.running) this.leave();
  }

  private turn<T>(state: GuestState, work: (session: S) => Promise<T>, restOf: ((result: T) => Promise<unknown>) | null): Promise<T> {
    const { invocation } = state;
    const access = this.access(state);
    const result = this.turns.then(async () => {
      if (invocation.ending.isOver) throw interrupted(invocation);
      this.running = invocation;
      this.hold(invocation);
      if (this.session && !this.session.isUsable) this.giveBack();
      if (!this.session) await this.take(access, invocation);
      return work(this.session!);
    });
    this.turns = result.then((value) => restOf?.(value)).catch(() => undefined).then(() => this.done());
    return result;
  }

  private async take(access: SessionAccess<S>, invocation: Invocation): Promise<void> {
    const { sessions, source } = access;
    const session = await sessions.acquire(source, invocation.ending);
    if (invocation.ending.isOver) {
      sessions.release(session, source.grant);
      throw interrupted(invocation);
    }
    this.session = session;
    this.from = access;
  }

  private hold(invocation: Invocation): void {
    if (this.holders.has(invocation)) return;
    const over = () => {
      this.holders.delete(invocation);
      if (this.running === invocation) this.session?.cancel();
      if (this.holders.size === 0 || this.isDropped) this.giveBack();
    };
    this.holders.set(invocation, over);
    invocation.ending.on(over);
  }

  private done(): void {
    this.running = null;
    if (this.isDropped) this.leave();
    else if (this.holders.size === 0) this.giveBack();
  }

  private leave(): void {
    for (const [invocation, over] of this.holders) invocation.ending.off(over);
    this.holders.clear();
    this.giveBack();
  }

  private giveBack(): void {
    const { session, from } = this;
    this.session = null;
    if (!session) return;
    // in the middle of an answer it cannot be cleaned
    if (this.running) from!.sessions.discard(session);
    else from!.sessions.release(session, from!.source.grant);
  }
}
