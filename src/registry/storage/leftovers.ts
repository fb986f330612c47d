import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** A process on another host cannot be asked whether it lives; nothing here takes that long. */
const OTHER_HOST_MAX_AGE_MS = 24 * 60 * 60 * 1000;

const host = () => hostname().replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 32) || 'host';

/** A name for something unfinished that says whose it is: `<host>-<pid>-<random>`. */
export function unfinishedName(): string {
  return `${host()}-${process.pid}-${randomBytes(8).toString('hex')}`;
}

/**
 * Removes what processes that are gone left unfinished in a folder. `atStart`: this process has made nothing there yet, so that a name with
 * its own id is from an earlier one (in a container the id is often 1 again).
 */
export async function sweepLeftovers(folder: string, nowMs: number, atStart = true): Promise<number> {
  let swept = 0;
  for (const name of await readdir(folder)) {
    const match = /^([A-Za-z0-9]+)-(\d+)-[0-9a-f]{16}$/.exec(name);
    if (!match) continue;
    const gone = match[1] === host() ? !(isOther(Number(match[2])) || (!atStart && Number(match[2]) === process.pid)) : nowMs - (await modifiedMs(join(folder, name))) > OTHER_HOST_MAX_AGE_MS;
    if (!gone) continue;
    await rm(join(folder, name), { recursive: true, force: true });
    swept++;
  }
  return swept;
}

/** Whether another living process has this id. */
function isOther(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function modifiedMs(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return Infinity;
  }
}
