import { SqlError } from './sql.js';
import { SqlProcess } from './sql-process.js';

/** Of one app: a statement that takes long then keeps the others of the app waiting no longer than it must. */
const MAX_FOR_APP = 2;
/** Of this process altogether. */
const MAX_ALTOGETHER = 16;
/** One that nobody used for so long is ended. */
const IDLE_MS = 60_000;
const LOOK_MS = 5_000;

/**
 * The processes that run the SQL of apps, for all apps of this process. No two apps ever share one: what a statement does to it, it does
 * to its own app.
 */
const byOwner = new Map<string, SqlProcess[]>();
let watch: NodeJS.Timeout | null = null;

/** One with room for a connection of `owner` (org and app). Throws a SqlError when there are too many. */
export function processFor(owner: string): SqlProcess {
  const own = byOwner.get(owner) ?? [];
  const best = own.toSorted((one, other) => one.load - other.load || one.connections - other.connections)[0];
  if (best && (best.load === 0 || own.length >= MAX_FOR_APP)) return best;
  if (!hasRoom()) {
    if (best) return best;
    throw new SqlError('io', 'too many apps of this node use their databases at the moment');
  }
  const made = new SqlProcess(() => forget(owner, made));
  byOwner.set(owner, [...own, made]);
  watch ??= setInterval(look, LOOK_MS).unref();
  return made;
}

/** How many there are, for whoever wants to know. */
export function sqlProcessCount(): number {
  let count = 0;
  for (const own of byOwner.values()) count += own.length;
  return count;
}

/** Ends all of them, for a clean end of this process. */
export function closeSqlProcesses(): void {
  for (const each of [...byOwner.values()].flat()) end(each);
}

/** The one unused for longest makes room when that is needed. */
function hasRoom(): boolean {
  if (sqlProcessCount() < MAX_ALTOGETHER) return true;
  const unused = [...byOwner.values()].flat().filter(isUnused).toSorted((one, other) => one.idleSinceMs - other.idleSinceMs);
  if (unused.length === 0) return false;
  end(unused[0]!);
  return true;
}

const isUnused = (each: SqlProcess): boolean => each.connections === 0 && each.load === 0;

function end(each: SqlProcess): void {
  each.kill(new SqlError('io', 'the database was closed'));
}

function forget(owner: string, gone: SqlProcess): void {
  const left = (byOwner.get(owner) ?? []).filter((each) => each !== gone);
  if (left.length > 0) byOwner.set(owner, left);
  else byOwner.delete(owner);
}

function look(): void {
  const nowMs = performance.now();
  for (const each of [...byOwner.values()].flat()) if (isUnused(each) && nowMs - each.idleSinceMs > IDLE_MS) end(each);
  if (byOwner.size > 0 || !watch) return;
  clearInterval(watch);
  watch = null;
}
