import { Err, LimitTrap } from '#engine/run/host.js';
import { refusesEffect } from '../effect.js';
import type { GuestGrant, GuestState } from '../guest.js';
import { slotOf } from '../slot.js';
import { settle } from '../wait.js';
import type { SqlConnection, SqlDatabase } from './database.js';
import { grantedDatabase } from './granted-database.js';
import { MAX_RESULT_BYTES, SqlError, SqlLimit, type SqlResult, type SqlValue } from './sql.js';

/** As many as Spin lets a guest have open at a time. */
const MAX_CONNECTIONS = 256;

/** `value` of the interface, the same in every version. */
export type WitValue =
  | { tag: 'integer'; val: bigint }
  | { tag: 'real'; val: number }
  | { tag: 'text'; val: string }
  | { tag: 'blob'; val: Uint8Array }
  | { tag: 'null' };

const io = (message: string): Err => new Err({ tag: 'io', val: message });
const INVALID_CONNECTION = new Err({ tag: 'invalid-connection' });

/** Nothing of it outlives the invocation: it can be run again elsewhere. */
const READS = /^\s*(?:select|values|explain)\b/i;
/** Another statement may follow: what is not sure to read alone is refused where nothing may be changed. */
const GOES_ON = /;\s*\S/;

/** A connection as a guest holds it. */
export class GuestConnection {
  lastInsertRowid = 0n;
  changes = 0n;

  constructor(private readonly state: GuestState, readonly connection: SqlConnection) {}

  /** The result, or the interface's own error; at once where the driver answers at once. */
  execute(sql: string, params: readonly WitValue[]): SqlResult | Err | Promise<SqlResult | Err> {
    const { state } = this;
    const { memory, invocation } = state;
    const isRead = READS.test(sql);
    if (!(isRead && !GOES_ON.test(sql)) && refusesEffect(state)) return new Err({ tag: 'access-denied' });
    if (!isRead) invocation.effect?.();
    const charge = invocation.used && ((cpuMs: number) => invocation.used!(cpuMs));
    const result = this.connection.execute(sql, params.map(fromWit), { maxResultBytes: Math.min(MAX_RESULT_BYTES, memory.freeBytes), charge });
    if (!(result instanceof Promise)) return result;
    return settle(state, result.then((value) => this.note(value), toErr));
  }

  private note(result: SqlResult): SqlResult {
    this.lastInsertRowid = result.lastInsertRowid;
    this.changes = result.changes;
    return result;
  }
}

function databaseOf(grant: GuestGrant, label: string): SqlDatabase | Err {
  try {
    const database = grantedDatabase(grant, label);
    return typeof database === 'string' ? new Err({ tag: database }) : database;
  } catch (error) {
    return toErr(error);
  }
}

/** What one invocation has open, in one table for all versions of the interface. */
class GuestConnections {
  private readonly open = new Map<number, GuestConnection>();
  private lastHandle = 0;

  constructor(private readonly state: GuestState) {}

  add(label: string): [number, GuestConnection] | Err {
    const database = databaseOf(this.state.grant, label);
    if (database instanceof Err) return database;
    if (this.open.size >= MAX_CONNECTIONS) return io('too many connections opened');
    const connection = new GuestConnection(this.state, database.connect());
    if (this.open.size === 0) this.state.defer(() => this.closeAll());
    this.open.set(++this.lastHandle, connection);
    return [this.lastHandle, connection];
  }

  get(handle: number): GuestConnection | undefined {
    return this.open.get(handle);
  }

  close(handle: number): void {
    const connection = this.open.get(handle);
    this.open.delete(handle);
    connection?.connection.close();
  }

  drop(connection: GuestConnection): void {
    for (const [handle, each] of this.open) if (each === connection) return this.close(handle);
  }

  private closeAll(): void {
    for (const handle of this.open.keys()) this.close(handle);
    this.lastHandle = 0;
  }
}

const tables = new WeakMap<object, GuestConnections>();

export function connectionsOf(state: GuestState): GuestConnections {
  const slot = slotOf(state);
  let table = tables.get(slot);
  if (!table) tables.set(slot, (table = new GuestConnections(state)));
  return table;
}

/** For the interfaces with a resource. */
export function openConnection(state: GuestState, label: string): GuestConnection | Err {
  const opened = connectionsOf(state).add(label);
  return opened instanceof Err ? opened : opened[1];
}

/** For the interface whose connections are numbers. */
export function openHandle(state: GuestState, label: string): number | Err {
  const opened = connectionsOf(state).add(label);
  return opened instanceof Err ? opened : opened[0];
}

export function executeHandle(state: GuestState, handle: number, sql: string, params: readonly WitValue[]): SqlResult | Err | Promise<SqlResult | Err> {
  return connectionsOf(state).get(handle)?.execute(sql, params) ?? INVALID_CONNECTION;
}

function toErr(error: unknown): Err {
  if (error instanceof SqlLimit) throw new LimitTrap(error.limit, error.message);
  if (error instanceof SqlError) return error.kind === 'full' ? new Err({ tag: 'database-full' }) : io(error.message);
  return io('the database cannot be reached');
}

function fromWit(value: WitValue): SqlValue {
  return value.tag === 'null' ? null : value.val;
}

export function toWit(value: SqlValue): WitValue {
  switch (typeof value) {
    case 'bigint': return { tag: 'integer', val: value };
    case 'number': return { tag: 'real', val: value };
    case 'string': return { tag: 'text', val: value };
    default: return value === null ? { tag: 'null' } : { tag: 'blob', val: value };
  }
}
