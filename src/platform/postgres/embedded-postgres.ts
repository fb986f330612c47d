import { chmodSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { WhorlError } from '#contract/errors.js';
import { FileLock } from '../file-lock.js';
import { findBinaries, type PostgresBinaries } from './binaries.js';
import { type Cluster, openCluster, ROLE } from './cluster.js';
import { findPostmaster, freePort, type Postmaster, startPostmaster, waitUntilGone, waitUntilReady } from './postmaster.js';
import { chooseRunAs, type RunAs } from './run-as.js';

/** A first start on a slow disk, behind another starter that does the same. */
const LOCK_TIMEOUT_MS = 120_000;
/** Recovery after a crash reads at most max_wal_size. */
const START_TIMEOUT_MS = 60_000;
const FAST_STOP_MS = 20_000;
const IMMEDIATE_STOP_MS = 5_000;
const DUPLICATE_DATABASE = '42P04';
const START_ATTEMPTS = 20;
const RETRY_MS = 250;

export interface EmbeddedPostgres {
  /** Connection URL with the password. */
  url: string;
  /** True when a server that outlived its parent was taken over. */
  adopted: boolean;
  pid: number;
  isRunning(): boolean;
  /** Ends every connection and stops the server; returns when it is gone. A later start finds all that was committed. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Folder for this server alone; made when missing. */
  dir: string;
  /** Made when missing. */
  database?: string;
  log?: (line: string) => void;
}

/**
 * Runs the real PostgreSQL that npm brought along, on a loopback port. Makes the cluster at the first start, takes over a server that
 * outlived a killed parent, and is safe for several starters at once: they share one server.
 * Throws WhorlError with an UP_POSTGRES_… code.
 */
export async function startPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { database = 'whorl', log = () => {} } = options;
  const binaries = await findBinaries();
  mkdirSync(options.dir, { recursive: true });
  // Root's server runs as another user, who walks through to the data.
  chmodSync(options.dir, process.getuid?.() === 0 ? 0o711 : 0o700);
  const dir = realpathSync(options.dir);
  const lock = await FileLock.acquire(join(dir, 'lock'), LOCK_TIMEOUT_MS);
  try {
    const way = chooseRunAs(binaries.postgres, dir);
    const cluster = await openCluster(dir, binaries, way);
    const survivor = await adopt(cluster.data);
    if (survivor) log(`took over the running PostgreSQL (pid ${survivor.pid})`);
    const server = survivor ?? (await start(dir, cluster, binaries, way));
    const url = (name: string): string => `postgresql://${ROLE}:${cluster.password}@127.0.0.1:${server.port}/${name}`;
    await createDatabase(url('postgres'), database);
    return {
      url: url(database),
      adopted: survivor !== undefined,
      pid: server.pid,
      isRunning: () => findPostmaster(cluster.data)?.pid === server.pid,
      stop: () => stop(dir, cluster.data, server.pid),
    };
  } finally {
    lock.release();
  }
}

/** A server that takes connections. One on its way down is waited for instead. */
async function adopt(data: string): Promise<Postmaster | undefined> {
  const found = findPostmaster(data);
  if (!found) return undefined;
  if (found.status !== 'stopping') {
    const ready = await waitUntilReady(data, performance.now() + START_TIMEOUT_MS, () => !['', 'starting', 'ready'].includes(findPostmaster(data)?.status ?? 'gone'));
    if (ready) return ready;
  }
  if (await waitUntilGone(data, FAST_STOP_MS)) return undefined;
  throw new WhorlError('UP_POSTGRES_FAILED', `the PostgreSQL server with pid ${found.pid} neither takes connections nor ends`);
}

async function start(dir: string, cluster: Cluster, binaries: PostgresBinaries, way: RunAs): Promise<Postmaster> {
  const logFile = join(dir, 'postgres.log');
  const portFile = join(dir, 'port');
  let preferred = readPort(portFile);
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(preferred);
    const { server, output } = await startPostmaster(binaries.postgres, way, { data: cluster.data, port, logFile, timeoutMs: START_TIMEOUT_MS });
    if (server) {
      writeFileSync(portFile, String(port), { mode: 0o600 });
      return server;
    }
    // Someone took the port in between, or workers of a killed server have not noticed its end yet: both pass.
    const portTaken = /could not (bind|create any TCP\/IP sockets)/.test(output);
    const oldWorkers = /pre-existing shared memory block/.test(output);
    if (attempt === START_ATTEMPTS || !(portTaken || oldWorkers)) throw new WhorlError('UP_POSTGRES_FAILED', `PostgreSQL did not start (${logFile}): ${output}`);
    if (portTaken) preferred = 0;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function readPort(file: string): number {
  try {
    const port = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(port) && port > 0 && port < 65536 ? port : 0;
  } catch {
    return 0;
  }
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } catch (error) {
    if ((error as { code?: string }).code !== DUPLICATE_DATABASE) {
      throw new WhorlError('UP_POSTGRES_FAILED', `PostgreSQL runs but does not let us in: ${(error as Error).message}`, { cause: error });
    }
  } finally {
    await client.end();
  }
}

/** Fast (SIGINT: sessions are cut, a checkpoint is written), then immediate (SIGQUIT: recovery at the next start), then by force. */
async function stop(dir: string, data: string, pid: number): Promise<void> {
  const lock = await FileLock.acquire(join(dir, 'lock'), LOCK_TIMEOUT_MS);
  try {
    for (const [signal, timeoutMs] of [['SIGINT', FAST_STOP_MS], ['SIGQUIT', IMMEDIATE_STOP_MS], ['SIGKILL', IMMEDIATE_STOP_MS]] as const) {
      if (findPostmaster(data)?.pid !== pid) return;
      process.kill(pid, signal);
      if (await waitUntilGone(data, timeoutMs)) return;
    }
    throw new WhorlError('UP_POSTGRES_FAILED', `the PostgreSQL server with pid ${pid} does not end`);
  } finally {
    lock.release();
  }
}
