import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { WhorlError } from '#contract/errors.js';
import type { PostgresBinaries } from './binaries.js';
import { spawnPlan, type RunAs } from './run-as.js';

/** The database role everything runs as; it owns the cluster. */
export const ROLE = 'whorl';

/**
 * A cluster on disk. It appears by one rename with everything in it, so a start that was cut off leaves nothing half made:
 *
 *     <dir>/cluster/data        PostgreSQL's own
 *     <dir>/cluster/password    of ROLE, mode 0600
 *     <dir>/postgres.log
 *     <dir>/lock                held while someone makes, starts or stops it
 */
export interface Cluster {
  data: string;
  password: string;
}

/** Opens the cluster below `dir`, makes it when there is none. Throws UP_POSTGRES_FAILED with what initdb said. */
export async function openCluster(dir: string, binaries: PostgresBinaries, way: RunAs): Promise<Cluster> {
  const home = join(dir, 'cluster');
  if (!existsSync(home)) await createCluster(dir, home, binaries, way);
  const data = join(home, 'data');
  adjustOwner(home, data, way);
  return { data, password: readFileSync(join(home, 'password'), 'utf8').trim() };
}

async function createCluster(dir: string, home: string, binaries: PostgresBinaries, way: RunAs): Promise<void> {
  for (const left of readdirSync(dir)) if (left.startsWith('cluster-')) rmSync(join(dir, left), { recursive: true, force: true });
  const fresh = mkdtempSync(join(dir, 'cluster-'));
  const data = join(fresh, 'data');
  const password = randomBytes(24).toString('base64url');
  // initdb reads the password from a file of its own user, which then goes away; ours stays closed to that user.
  const passwordFile = join(fresh, 'initdb-password');
  writeFileSync(join(fresh, 'password'), password, { mode: 0o600 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  mkdirSync(data, { mode: 0o700 });
  if (way.owner !== undefined) for (const path of [data, passwordFile]) lchownSync(path, way.owner, way.owner);
  chmodSync(fresh, folderMode(way));
  const plan = spawnPlan(way, binaries.initdb, [
    '-D', data, '-U', ROLE, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8',
    // The collation that PostgreSQL brings along: the same order on every machine, whatever its C library.
    '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C', '--data-checksums',
  ]);
  try {
    await promisify(execFile)(plan.file, plan.args, { ...plan.options, env: { PATH: process.env['PATH'], LC_ALL: 'C' } });
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? '').trim() || (error as Error).message;
    throw new WhorlError('UP_POSTGRES_FAILED', `initdb could not make a database cluster in ${dir}: ${said}`, { cause: error });
  }
  rmSync(passwordFile);
  renameSync(fresh, home);
}

/** The data may have been made another way (as a normal user, below other folders): PostgreSQL insists on owning it. */
function adjustOwner(home: string, data: string, way: RunAs): void {
  if (way.owner === undefined) return;
  chmodSync(home, folderMode(way));
  if (lstatSync(data).uid !== way.owner) changeOwner(data, way.owner);
}

function changeOwner(path: string, owner: number): void {
  if (lstatSync(path).isDirectory()) for (const entry of readdirSync(path)) changeOwner(join(path, entry), owner);
  // The folder last: a change that was cut off starts over.
  lchownSync(path, owner, owner);
}

/** Another user must be able to walk through, not to look around. */
function folderMode(way: RunAs): number {
  return way.uid === undefined ? 0o700 : 0o711;
}
