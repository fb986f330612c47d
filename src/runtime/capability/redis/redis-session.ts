import { Trap } from '#engine/run/host.js';
import { refusesEffect } from '../effect.js';
import type { GuestState, Invocation } from '../guest.js';
import { toDialFailure } from '../outbound/dial-failure.js';
import { noteDenied, policyOf } from '../outbound/outbound.js';
import { parseRedisAddress, type RedisAddress } from './redis-address.js';
import { RedisFault } from './redis-fault.js';
import type { RedisArgument, RedisLink } from './redis-link.js';
import { acquireLink, releaseLink } from './redis-pool.js';
import type { RedisReply } from './resp-reader.js';
import { isStateless } from './stateless-commands.js';

/** Sessions that a guest may have at a time, as with Spin. */
const MAX_SESSIONS = 1024;

const openSessions = new WeakMap<GuestState, Set<RedisSession>>();

function sessionsOf(state: GuestState): Set<RedisSession> {
  let sessions = openSessions.get(state);
  if (!sessions) openSessions.set(state, (sessions = new Set()));
  return sessions;
}

/**
 * A guest's connection. While the guest has it nobody else does, so whatever it does to it stays its own (a transaction, a database, a
 * subscription). At the end of the invocation it is kept for the next one, or closed when a command may have changed it.
 */
export class RedisSession {
  private link: RedisLink | null = null;
  private isClean = true;
  /** Which connection is the present one: what is still on its way for an earlier one must not take its place. */
  private turn = 0;
  private connecting: Promise<void> | null = null;
  /** Invocations that have used it and are not over: several where they share an instance. */
  private readonly users = new Set<Invocation>();

  private constructor(private readonly state: GuestState, private readonly address: RedisAddress) {}

  /**
   * Checks the address against the component's policy and connects, or takes a connection that was kept. Throws or rejects with a
   * RedisFault: `invalid-address` when it is none or not allowed, `too-many-connections`, `other`.
   */
  static open(state: GuestState, text: string): RedisSession | Promise<RedisSession> {
    const address = parseRedisAddress(text);
    if (!address) throw new RedisFault({ tag: 'invalid-address' });
    if (sessionsOf(state).size >= MAX_SESSIONS) throw new RedisFault({ tag: 'too-many-connections' });
    const session = new RedisSession(state, address);
    session.use();
    try {
      const connecting = session.connect();
      if (!connecting) return session;
      return connecting.then(() => session, (error: unknown) => {
        session.close();
        throw error;
      });
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Sends a command. Rejects with a RedisFault when the connection is lost before the answer; the next command then makes a new one. */
  async send(command: readonly RedisArgument[]): Promise<RedisReply> {
    // several invocations may share the state: whose it is now is not whose it is after a wait
    const { memory } = this.state;
    this.use();
    if (!this.link?.isOpen) await (this.connecting ?? this.connect());
    const { link } = this;
    if (!link) throw new RedisFault({ tag: 'other', val: 'the connection is closed' });
    if (!isStateless(String(command[0]))) this.isClean = false;
    link.memory = memory;
    return link.send(command);
  }

  /** The guest dropped it, or no invocation that has used it is left. One that is used again later connects again. */
  close(): void {
    sessionsOf(this.state).delete(this);
    this.users.clear();
    this.letGo();
  }

  /** The invocation at hand uses it: it stays at least until that is over. */
  private use(): void {
    const { state, users } = this;
    const { invocation } = state;
    if (users.has(invocation)) return;
    users.add(invocation);
    sessionsOf(state).add(this);
    state.defer(() => {
      if (users.delete(invocation) && users.size === 0) this.close();
    });
  }

  private letGo(): void {
    this.turn++;
    this.connecting = null;
    const { link } = this;
    this.link = null;
    if (link) releaseLink(this.state.grant, this.address, link, this.isClean);
    this.isClean = true;
  }

  /** null: it is connected already. */
  private connect(): Promise<void> | null {
    const { state, address } = this;
    this.letGo();
    // a guest may keep it for longer than it is allowed the address
    if (!isAllowed(state, address)) throw new RedisFault({ tag: 'invalid-address' });
    const given = acquireLink(state.grant, address);
    if (!(given instanceof Promise)) {
      this.link = given;
      return null;
    }
    const { turn } = this;
    const { invocation } = state;
    const connecting = given.then(
      (link) => {
        if (turn !== this.turn) return releaseLink(state.grant, address, link, true);
        this.link = link;
        this.connecting = null;
      },
      (error: unknown) => {
        if (turn === this.turn) this.connecting = null;
        throw toFault(invocation, error);
      },
    );
    return (this.connecting = connecting);
  }
}

function toFault(invocation: Invocation, error: unknown): Error {
  if (error instanceof RedisFault || error instanceof Trap) return error;
  const { isLimit, message } = toDialFailure(invocation, error);
  return new RedisFault(isLimit ? { tag: 'too-many-connections' } : { tag: 'other', val: message });
}

/** Looked at for each connection: one that was kept gives no rights. */
function isAllowed(state: GuestState, { scheme, host, port }: RedisAddress): boolean {
  if (refusesEffect(state)) return false;
  if (policyOf(state.grant.allowedOutboundHosts).allows({ scheme, host, port })) return true;
  noteDenied(state, `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`);
  return false;
}
