import type { GuestGrant } from '../guest.js';
import { HttpError } from '../http/error-code.js';

/** What a connection is for: the operator limits each kind on its own. */
export type ConnectionKind = 'http' | 'redis' | 'pg' | 'mysql' | 'mqtt' | 'socket';

/** The right to have one connection. It is held while the connection is open, or being made. */
export interface Lease {
  /** More than once does no harm. */
  release(): void;
  /** Set while the connection is kept without work: it may be closed for another one that is wanted. */
  idle: { isIdle(): boolean; close(): void } | null;
}

/** Longest wait for a connection of the app's to be closed. */
const WAIT_MS = 60_000;

class HeldLease implements Lease {
  idle: Lease['idle'] = null;
  private released = false;

  constructor(readonly grant: GuestGrant, readonly kind: ConnectionKind | null, private readonly from: AppConnections) {}

  release(): void {
    if (this.released) return;
    this.released = true;
    this.from.remove(this);
  }

  /** True: it was not in use, and is free now. */
  yieldIdle(): boolean {
    const { idle } = this;
    if (!idle?.isIdle()) return false;
    this.released = true;
    this.from.drop(this);
    idle.close();
    return true;
  }
}

/** The connections of one app in this process, whatever its components and versions. */
class AppConnections {
  private readonly leases = new Set<HeldLease>();
  private readonly waiting = new Set<() => void>();
  private retrying = false;

  constructor(private readonly onEmpty: () => void) {}

  /** A lease, or what to do: one over the component's limit (the platform's) is refused, one over the app's (the operator's) may wait. */
  tryTake(grant: GuestGrant, kind: ConnectionKind | null): Lease | 'refuse' | 'wait' {
    const maxOfKind = kind === null ? undefined : maxOf(grant, kind);
    const maxOfAll = grant.runtime.outboundNetworking.maxTotalConnections;
    if (maxOfKind === 0 || maxOfAll === 0) return 'refuse';
    if (!this.hasRoom((held) => held.grant === grant, grant.limits.outboundConnections)) return 'refuse';
    if (!this.hasRoom((held) => held.kind === kind, maxOfKind) || !this.hasRoom(() => true, maxOfAll)) return 'wait';
    const lease = new HeldLease(grant, kind, this);
    this.leases.add(lease);
    return lease;
  }

  drop(lease: HeldLease): void {
    this.leases.delete(lease);
  }

  remove(lease: HeldLease): void {
    this.drop(lease);
    this.retry();
    if (this.leases.size === 0 && this.waiting.size === 0) this.onEmpty();
  }

  wait(grant: GuestGrant, kind: ConnectionKind | null): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const settle = (done: () => void) => {
        clearTimeout(timer);
        this.waiting.delete(tryAgain);
        done();
      };
      const tryAgain = () => {
        const lease = this.tryTake(grant, kind);
        if (lease === 'refuse') settle(() => reject(limitReached()));
        else if (lease !== 'wait') settle(() => resolve(lease));
      };
      const timer = setTimeout(() => settle(() => reject(limitReached())), WAIT_MS);
      this.waiting.add(tryAgain);
    });
  }

  /** A connection was closed, or has nothing to do any more: those that wait look again, in order. */
  retry(): void {
    if (this.retrying) return;
    this.retrying = true;
    for (const tryAgain of this.waiting) tryAgain();
    this.retrying = false;
  }

  private hasRoom(counts: (lease: HeldLease) => boolean, max: number | undefined): boolean {
    if (max === undefined || this.leases.size < max) return true;
    const counted = [...this.leases].filter(counts);
    return counted.length < max || counted.some((lease) => lease.yieldIdle());
  }
}

function maxOf({ runtime }: GuestGrant, kind: ConnectionKind): number | undefined {
  switch (kind) {
    case 'http': return runtime.outboundHttp.maxConnections;
    case 'redis': return runtime.outboundRedis.maxConnections;
    case 'pg': return runtime.outboundPg.maxConnections;
    case 'mysql': return runtime.outboundMysql.maxConnections;
    case 'mqtt': return runtime.outboundMqtt.maxConnections;
    case 'socket': return runtime.outboundNetworking.maxSocketConnections;
  }
}

const limitReached = () => new HttpError({ tag: 'connection-limit-reached' });

const apps = new Map<string, AppConnections>();

function connectionsOf({ org, app }: GuestGrant): AppConnections {
  const key = `${org}/${app}`;
  let connections = apps.get(key);
  if (!connections) {
    connections = new AppConnections(() => {
      if (apps.get(key) === connections) apps.delete(key);
    });
    apps.set(key, connections);
  }
  return connections;
}

/**
 * The right to one more connection, now; null: there are too many. For sockets of a guest's own, which may wait for each other (as Spin does).
 */
export function tryLease(grant: GuestGrant, kind: ConnectionKind): Lease | null {
  const lease = connectionsOf(grant).tryTake(grant, kind);
  return typeof lease === 'string' ? null : lease;
}

/**
 * The right to one more connection. Rejects with `connection-limit-reached`: at once when the component has as many as the platform allows,
 * and when none of the app's was closed in time while it had as many as the operator allows (Spin waits, too). Idle ones make room.
 * @param kind null: counts among all of the app's alone
 */
export async function lease(grant: GuestGrant, kind: ConnectionKind | null): Promise<Lease> {
  const connections = connectionsOf(grant);
  const taken = connections.tryTake(grant, kind);
  if (taken === 'refuse') throw limitReached();
  return taken === 'wait' ? connections.wait(grant, kind) : taken;
}

/** Something of the app's became idle: it may make room for what waits. */
export function noteIdle(grant: GuestGrant): void {
  apps.get(`${grant.org}/${grant.app}`)?.retry();
}
