import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';

const SQLITE_BUSY = 5;
const RETRY_MS = 25;

/**
 * An exclusive lock between processes that the kernel lets go of when its holder dies, however it dies: no process id to judge, no
 * stale lock to clear. Node has no flock(2) of its own; SQLite's lock on an empty database is the same thing on every system.
 */
export class FileLock {
  private constructor(private readonly database: DatabaseSync) {}

  /** Takes the lock at `path` (made when missing, its folder must exist). undefined: another holder has it. */
  static tryAcquire(path: string): FileLock | undefined {
    // Whoever may read it could hold it against us.
    closeSync(openSync(path, 'a', 0o600));
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
      return new FileLock(database);
    } catch (error) {
      database.close();
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
      throw error;
    }
  }

  /** Waits for the lock. Throws when `timeoutMs` have passed. */
  static async acquire(path: string, timeoutMs: number): Promise<FileLock> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const lock = FileLock.tryAcquire(path);
      if (lock) return lock;
      if (performance.now() > deadline) throw new Error(`${path} has been locked by another process for ${timeoutMs} ms`);
      await sleep(RETRY_MS);
    }
  }

  release(): void {
    this.database.close();
  }
}
