import { mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WhorlError } from '#contract/errors.js';
import { FileLock } from '#platform/file-lock.js';
import { findProcess } from '#platform/process.js';

interface Started {
  pid: number;
  /** What its command line contains: a process id may belong to another program by now. */
  program: string;
}

interface Owner {
  pid: number;
  since: string;
  /** It is on its way out: worth waiting for. */
  stopping: boolean;
  children: Started[];
}

/** The longest orderly stop: requests under way are finished. */
const STOPPING_PATIENCE_MS = 60_000;

/** The folder that `whorl up` keeps everything in, held by one process at a time. */
export class DataDir {
  private readonly children = new Map<number, Started>();
  private stopping = false;

  private constructor(
    readonly path: string,
    private readonly lock: FileLock,
    /** True when the last owner did not come to close it. */
    readonly recovered: boolean,
  ) {}

  /**
   * Makes the folder when it is missing and takes it. A predecessor that is just stopping is waited for, what a killed one left
   * running is ended first.
   * Throws UP_DATA_DIR_UNWRITABLE or UP_DATA_DIR_IN_USE.
   */
  static async open(wanted: string): Promise<DataDir> {
    const path = makeWritable(wanted);
    const lockFile = join(path, 'lock');
    let lock = FileLock.tryAcquire(lockFile);
    if (!lock && readOwner(path)?.stopping) lock = await FileLock.acquire(lockFile, STOPPING_PATIENCE_MS).catch(() => undefined);
    const owner = readOwner(path);
    if (!lock) {
      const who = owner ? `pid ${owner.pid}, running since ${owner.since}` : 'one that is just starting';
      throw new WhorlError('UP_DATA_DIR_IN_USE', `${path} is in use by another whorl up (${who})`);
    }
    for (const child of owner?.children ?? []) end(child);
    const dir = new DataDir(path, lock, owner !== undefined);
    dir.write();
    return dir;
  }

  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Makes a folder inside that only we may enter. */
  folder(name: string): string {
    const path = this.at(name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  /** Remembers a process that must not outlive us: the next owner looks for it. */
  add(child: Started): void {
    this.children.set(child.pid, child);
    this.write();
  }

  remove(pid: number): void {
    this.children.delete(pid);
    this.write();
  }

  /** Says that `close` will come soon. */
  markStopping(): void {
    this.stopping = true;
    this.write();
  }

  close(): void {
    rmSync(this.at('owner.json'), { force: true });
    this.lock.release();
  }

  private write(): void {
    const since = new Date(performance.timeOrigin).toISOString();
    writeFileSync(this.at('owner.json'), JSON.stringify({ pid: process.pid, since, stopping: this.stopping, children: [...this.children.values()] } satisfies Owner), { mode: 0o600 });
  }
}

function makeWritable(wanted: string): string {
  try {
    // Root's PostgreSQL runs as another user, who has to walk through; what is secret inside has modes of its own.
    mkdirSync(wanted, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    const path = realpathSync(wanted);
    const probe = join(path, `.write-${process.pid}`);
    writeFileSync(probe, '');
    rmSync(probe);
    return path;
  } catch (error) {
    throw new WhorlError('UP_DATA_DIR_UNWRITABLE', `cannot write to the data directory ${wanted}: ${(error as Error).message}`, { cause: error });
  }
}

function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(join(path, 'owner.json'), 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

/** Children end by themselves when their parent is gone; one that hangs would keep a port or a file. */
function end({ pid, program }: Started): void {
  if (!findProcess(pid)?.includes(program)) return;
  try {
    // Each leads a group of its own, with the processes that it started.
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself just now.
  }
}
