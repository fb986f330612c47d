import type { Ending } from '../ending.js';
import type { GuestGrant } from '../guest.js';
import { noteIdle, type Lease } from '../outbound/connection-budget.js';

/** A connection to a database server that is used by one guest after the other. */
export interface PooledSession {
  /** False: it broke, or was closed. */
  readonly isUsable: boolean;
  /** The right to its connection. */
  readonly lease: Lease;
  /** Brings it back to how it was when it was opened: transactions, settings, temporary tables, locks. Rejects when that fails. */
  clean(): Promise<void>;
  /** Stops what it is doing at the server, as far as that can be done from outside. */
  cancel(): void;
  close(): void;
}

/** Where sessions come from: one server, user and database, by the same rights. */
export interface SessionSource<S extends PooledSession> {
  /** Sources with the same key may use each other's sessions. */
  readonly key: string;
  readonly grant: GuestGrant;
  open(): Promise<S>;
}

/** No session was free in time. */
export class NoSessionFree extends Error {
  override name = 'NoSessionFree';
  constructor() {
    super('too many connections');
  }
}

/** Spin's figures: sessions of one address, and addresses of one app whose idle sessions are kept. */
const SESSIONS_PER_ADDRESS = 64;
const ADDRESSES_KEPT = 16;
/** A session is closed when nobody has used it for this long: servers have few. */
const IDLE_MS = 30_000;
const ACQUIRE_TIMEOUT_MS = 10_000;
/** A server that does not answer must not hold a place for ever. */
const CLEAN_TIMEOUT_MS = 10_000;

interface Address<S> {
  readonly key: string;
  readonly idle: { session: S; since: number }[];
  /** Idle, in use, being opened and being cleaned. */
  total: number;
}

/**
 * The sessions of one app in this process, with idle ones kept for the next guest that asks for the same address. Nothing in it is ever seen
 * by another app or org.
 */
export class AppSessions<S extends PooledSession> {
  /** In order of use, the latest last. */
  private readonly addresses = new Map<string, Address<S>>();
  private readonly homes = new Map<S, Address<S>>();
  private total = 0;
  private waiting: (() => void)[] = [];
  private sweep: NodeJS.Timeout | null = null;

  constructor(private readonly onEmpty: () => void = () => undefined) {}

  /**
   * A clean session: an idle one, or a new one while the address has room. Waits when there is none; rejects with NoSessionFree after ten seconds
   * or when the invocation ends, and with what `open` throws.
   */
  async acquire(source: SessionSource<S>, ending: Ending): Promise<S> {
    const until = Date.now() + ACQUIRE_TIMEOUT_MS;
    for (;;) {
      const address = this.addressOf(source.key);
      const kept = this.takeIdle(address);
      if (kept) return kept;
      if (address.total < SESSIONS_PER_ADDRESS) return await this.open(source, address);
      const leftMs = until - Date.now();
      if (leftMs <= 0 || ending.isOver) throw new NoSessionFree();
      await this.change(leftMs, ending);
    }
  }

  /** Takes a session back. It is cleaned first; one that cannot be is closed. */
  release(session: S, grant: GuestGrant): void {
    if (!session.isUsable) {
      this.discard(session);
      return;
    }
    const timer = setTimeout(() => this.discard(session), CLEAN_TIMEOUT_MS);
    session.clean().then(
      () => this.keep(session, grant),
      () => this.discard(session),
    ).finally(() => clearTimeout(timer));
  }

  /** Closes a session that was acquired: it may be in the middle of something. */
  discard(session: S): void {
    const address = this.homes.get(session);
    if (!address) return;
    this.homes.delete(session);
    session.close();
    this.leave(address);
  }

  private addressOf(key: string): Address<S> {
    const found = this.addresses.get(key) ?? { key, idle: [], total: 0 };
    this.addresses.delete(key);
    this.addresses.set(key, found);
    if (this.addresses.size > ADDRESSES_KEPT) this.forgetTheOldest();
    return found;
  }

  private takeIdle(address: Address<S>): S | null {
    for (;;) {
      const session = address.idle.pop()?.session;
      if (!session) return null;
      session.lease.idle = null;
      if (session.isUsable) return session;
      this.discard(session);
    }
  }

  private async open(source: SessionSource<S>, address: Address<S>): Promise<S> {
    address.total++;
    this.total++;
    try {
      const session = await source.open();
      this.homes.set(session, address);
      return session;
    } catch (error) {
      this.leave(address);
      throw error;
    }
  }

  private keep(session: S, grant: GuestGrant): void {
    const address = this.homes.get(session);
    if (!address || !session.isUsable || this.addresses.get(address.key) !== address) {
      this.discard(session);
      return;
    }
    address.idle.push({ session, since: Date.now() });
    session.lease.idle = { isIdle: () => true, close: () => this.closeOne(address, session) };
    this.sweep ??= setTimeout(() => this.closeIdle(), IDLE_MS).unref();
    this.tell();
    noteIdle(grant);
  }

  /** An idle one gives way to another connection of the app. */
  private closeOne(address: Address<S>, session: S): void {
    const at = address.idle.findIndex((each) => each.session === session);
    if (at >= 0) address.idle.splice(at, 1);
    this.discard(session);
  }

  private leave(address: Address<S>): void {
    address.total--;
    this.total--;
    if (address.total === 0 && this.addresses.get(address.key) === address) this.addresses.delete(address.key);
    if (this.total === 0 && this.waiting.length === 0) this.onEmpty();
    this.tell();
  }

  /** Those in use are closed when they come back. */
  private forgetTheOldest(): void {
    const oldest = this.addresses.values().next().value!;
    this.addresses.delete(oldest.key);
    for (const { session } of oldest.idle.splice(0)) this.discard(session);
  }

  private closeIdle(): void {
    this.sweep = null;
    const before = Date.now() - IDLE_MS;
    let left = false;
    for (const { idle } of this.addresses.values()) {
      while (idle.length > 0 && idle[0]!.since <= before) this.discard(idle.shift()!.session);
      left ||= idle.length > 0;
    }
    if (left) this.sweep ??= setTimeout(() => this.closeIdle(), IDLE_MS).unref();
  }

  private tell(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const wake of waiting) wake();
  }

  private change(timeoutMs: number, ending: Ending): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        ending.off(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      ending.on(done);
      this.waiting.push(done);
    });
  }
}

/** The sessions of every app, for one kind of database. */
export class SessionRegistry<S extends PooledSession> {
  private readonly apps = new Map<string, AppSessions<S>>();

  /** Of one app of one org: nobody else's. */
  of({ org, app }: { org: string; app: string }): AppSessions<S> {
    const key = JSON.stringify([org, app]);
    let sessions = this.apps.get(key);
    if (!sessions) this.apps.set(key, (sessions = new AppSessions(() => this.apps.delete(key))));
    return sessions;
  }
}
