import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProcess } from '../process.js';
import { spawnPlan, type RunAs } from './run-as.js';

const POLL_MS = 10;
const MAX_LOG_BYTES = 4 * 1024 * 1024;

/** A laptop's share, with durability as PostgreSQL ships it (fsync and full page writes stay on). */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  // No socket in /tmp: TCP with a password is the one way in.
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  // One process fewer for each of three workers; a laptop's database fits its cache.
  io_method: 'sync',
  wal_level: 'minimal',
  max_wal_senders: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
};

/** What a running server says of itself in `postmaster.pid` (PostgreSQL's src/include/utils/pidfile.h). */
export interface Postmaster {
  pid: number;
  port: number;
  /** starting, ready, standby or stopping; '' very early. */
  status: string;
}

/** The server that serves this data folder and is alive, whoever started it. */
export function findPostmaster(data: string): Postmaster | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid, data)) return undefined;
  return { pid, port: Number(lines[3] ?? 0), status: (lines[7] ?? '').trim() };
}

/**
 * Whether `pid` is a server on this data. A killed one whose parent never waited for it (no init in a container) still answers
 * signals as a zombie, and the number may belong to another program by now: both would block a start for ever.
 */
function isAlive(pid: number, data: string): boolean {
  return findProcess(pid)?.includes(data) ?? false;
}

export async function waitUntilReady(data: string, deadlineMs: number, isOver: () => boolean): Promise<Postmaster | undefined> {
  for (;;) {
    const found = findPostmaster(data);
    if (found?.status === 'ready') return found;
    if (isOver() || performance.now() > deadlineMs) return undefined;
    await sleep(POLL_MS);
  }
}

export async function waitUntilGone(data: string, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (findPostmaster(data)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

export interface StartedPostmaster {
  server: Postmaster | undefined;
  /** What it wrote, when it ended instead. */
  output: string;
}

/**
 * Starts a server on `port` and waits until it takes connections. It belongs to a session of its own, so that a Ctrl-C in the
 * terminal does not reach it before the processes that use it, and it writes to a file, so that it outlives us unharmed.
 */
export async function startPostmaster(binary: string, way: RunAs, options: { data: string; port: number; logFile: string; timeoutMs: number }): Promise<StartedPostmaster> {
  const { data, port, logFile, timeoutMs } = options;
  // A file left by a server that is not alive: PostgreSQL would believe a zombie or a reused process id.
  if (!findPostmaster(data)) rmSync(join(data, 'postmaster.pid'), { force: true });
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const plan = spawnPlan(way, binary, ['-D', data, '-p', String(port), ...settings]);
  rotate(logFile);
  const log = openSync(logFile, 'a', 0o600);
  const from = statSync(logFile).size;
  let over = '';
  try {
    const child = spawn(plan.file, plan.args, { ...plan.options, env: { PATH: process.env['PATH'], LC_ALL: 'C' }, stdio: ['ignore', log, log], detached: true });
    child.once('error', (error) => { over = error.message; });
    child.once('exit', (code, signal) => { over = `exit ${signal ?? code}`; });
    child.unref();
  } finally {
    closeSync(log);
  }
  const server = await waitUntilReady(data, performance.now() + timeoutMs, () => over !== '');
  if (server) return { server, output: '' };
  const written = readFileSync(logFile).subarray(from).toString('utf8').trim();
  return { server: undefined, output: `${over || `not ready after ${timeoutMs} ms`}${written && `: ${written}`}` };
}

function rotate(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.1`);
}

/** `preferred` when it is free, else any other: a port that stays the same across starts keeps connection URLs valid. */
export async function freePort(preferred = 0): Promise<number> {
  const listen = (port: number): Promise<number> => new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
  try {
    return await listen(preferred);
  } catch {
    return listen(0);
  }
}
