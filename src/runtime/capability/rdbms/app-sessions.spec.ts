import { describe, expect, it } from '@jest/globals';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import { Ending } from '../ending.js';
import type { GuestGrant } from '../guest.js';
import type { Lease } from '../outbound/connection-budget.js';
import { AppSessions, NoSessionFree, SessionRegistry, type PooledSession, type SessionSource } from './app-sessions.js';

/** A session with nothing behind it: what the pool does with it is all that counts. */
class Session implements PooledSession {
  isUsable = true;
  readonly lease: Lease = { idle: null, release: () => undefined };
  cleaned = 0;

  constructor(private readonly failing = false) {}

  clean(): Promise<void> {
    this.cleaned++;
    return this.failing ? Promise.reject(new Error('cannot be cleaned')) : Promise.resolve();
  }

  cancel(): void {}

  close(): void {
    this.isUsable = false;
  }
}

const grant = { org: 'o', app: 'a', runtime: NO_RUNTIME_GRANT } as GuestGrant;
const source = (key: string, open: () => Promise<Session> = () => Promise.resolve(new Session())): SessionSource<Session> => ({ key, grant, open });
/** Until what was released is clean. */
const later = () => new Promise((resolve) => { setImmediate(resolve); });

describe(AppSessions.name, () => {
  it('gives a session that came back to the next one of the same address alone', async () => {
    const sessions = new AppSessions<Session>();
    const first = await sessions.acquire(source('x'), new Ending());
    expect(await sessions.acquire(source('x'), new Ending())).not.toBe(first);
    sessions.release(first, grant);
    await later();
    expect(first.cleaned).toBe(1);
    expect(await sessions.acquire(source('y'), new Ending())).not.toBe(first);
    expect(await sessions.acquire(source('x'), new Ending())).toBe(first);
  });

  it('closes a session that cannot be cleaned, or that broke', async () => {
    const sessions = new AppSessions<Session>();
    const failing = await sessions.acquire(source('x', () => Promise.resolve(new Session(true))), new Ending());
    const broken = await sessions.acquire(source('x'), new Ending());
    sessions.release(failing, grant);
    broken.isUsable = false;
    sessions.release(broken, grant);
    await later();
    expect([failing.isUsable, broken.cleaned]).toEqual([false, 0]);
    expect([failing, broken]).not.toContain(await sessions.acquire(source('x'), new Ending()));
  });

  it('opens at most 64 sessions of an address; more wait until one is free, or the invocation ends', async () => {
    const sessions = new AppSessions<Session>();
    const all = await Promise.all(Array.from({ length: 64 }, () => sessions.acquire(source('x'), new Ending())));
    const ending = new Ending();
    const [waiting, ended] = [sessions.acquire(source('x'), new Ending()), sessions.acquire(source('x'), ending)];
    await sessions.acquire(source('y'), new Ending());
    ending.end();
    await expect(ended).rejects.toBeInstanceOf(NoSessionFree);
    sessions.release(all[7]!, grant);
    expect(await waiting).toBe(all[7]);
  });

  it('keeps sessions of 16 addresses; those of the one that was unused for longest are closed', async () => {
    const sessions = new AppSessions<Session>();
    const oldest = await sessions.acquire(source('0'), new Ending());
    const inUse = await sessions.acquire(source('0'), new Ending());
    sessions.release(oldest, grant);
    await later();
    for (let i = 1; i <= 16; i++) await sessions.acquire(source(String(i)), new Ending());
    expect([oldest.isUsable, inUse.isUsable]).toEqual([false, true]);
    sessions.release(inUse, grant);
    await later();
    expect(inUse.isUsable).toBe(false);
  });

  it('lets an idle session go when another connection of the app needs its place', async () => {
    const sessions = new AppSessions<Session>();
    const session = await sessions.acquire(source('x'), new Ending());
    expect(session.lease.idle).toBeNull();
    sessions.release(session, grant);
    await later();
    expect(session.lease.idle!.isIdle()).toBe(true);
    session.lease.idle!.close();
    expect(session.isUsable).toBe(false);
    expect(await sessions.acquire(source('x'), new Ending())).not.toBe(session);
  });

  it('passes on why a session could not be opened, and goes on', async () => {
    const sessions = new AppSessions<Session>();
    const failure = new Error('refused');
    for (let i = 0; i < 65; i++) await expect(sessions.acquire(source('x', () => Promise.reject(failure)), new Ending())).rejects.toBe(failure);
    expect(await sessions.acquire(source('x'), new Ending())).toBeInstanceOf(Session);
  });
});

describe(SessionRegistry.name, () => {
  it('keeps apps and orgs apart, whatever their names', () => {
    const registry = new SessionRegistry<Session>();
    const all = [['o', 'a'], ['o', 'b'], ['o/a', 'b'], ['o', 'a/b'], ['a', 'o']].map(([org, app]) => registry.of({ org: org!, app: app! }));
    expect(new Set(all).size).toBe(5);
    expect(registry.of({ org: 'o', app: 'a' })).toBe(all[0]);
  });
});
