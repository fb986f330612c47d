import { spawnSync } from 'node:child_process';
import { WhorlError } from '#contract/errors.js';

/** The user without rights or files that every Unix has (`nobody`, in some systems by another name). */
const NOBODY = 65534;
const PROBE_TIMEOUT_MS = 10_000;

/** How PostgreSQL's programs are started: as whom, and through which command. */
export interface RunAs {
  /** Of the process and of the data; undefined: as we are. */
  uid: number | undefined;
  /** Who must own the data, as the system sees it. */
  owner: number | undefined;
  command: readonly string[];
}

const AS_WE_ARE: RunAs = { uid: undefined, owner: undefined, command: [] };
/** Ways for root, the one with the fewest rights first. */
const FOR_ROOT: readonly RunAs[] = [
  { uid: NOBODY, owner: NOBODY, command: [] },
  // In a user namespace of its own the process is not root to itself, while files of root below closed folders stay in reach.
  { uid: undefined, owner: 0, command: ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--'] },
];

/**
 * Chooses how to run `binary` on data below `dir`: PostgreSQL refuses to run as root. Each way is tried out with `--version`.
 * Throws UP_POSTGRES_ROOT, or UP_POSTGRES_MISSING when the program itself cannot run on this machine.
 */
export function chooseRunAs(binary: string, dir: string, isRoot = process.getuid?.() === 0): RunAs {
  const own = probe(AS_WE_ARE, binary, dir);
  if (own !== '') throw new WhorlError('UP_POSTGRES_MISSING', `${binary} does not run on this machine: ${own}`);
  if (!isRoot) return AS_WE_ARE;
  const failures: string[] = [];
  for (const way of FOR_ROOT) {
    const failure = probe(way, binary, dir);
    if (failure === '') return way;
    failures.push(`${way.command[0] ?? `as uid ${way.uid}`}: ${failure}`);
  }
  throw new WhorlError('UP_POSTGRES_ROOT', `PostgreSQL does not run as root, and no other way leads to ${dir} and ${binary} (${failures.join('; ')})`);
}

/** What spawn needs to run a program of PostgreSQL this way. */
export function spawnPlan(way: RunAs, program: string, args: readonly string[]): { file: string; args: string[]; options: { uid?: number; gid?: number; cwd: string } } {
  const [file, ...rest] = [...way.command, program, ...args] as [string, ...string[]];
  // The folder we are in may be closed to the other user.
  return { file, args: rest, options: { cwd: '/', ...(way.uid !== undefined && { uid: way.uid, gid: way.uid }) } };
}

/** The reason why this way does not work; '' when it does. */
function probe(way: RunAs, binary: string, dir: string): string {
  const plan = spawnPlan(way, '/bin/sh', ['-c', 'cd "$1" && exec "$2" --version', 'sh', dir, binary]);
  const result = spawnSync(plan.file, plan.args, { ...plan.options, encoding: 'utf8', timeout: PROBE_TIMEOUT_MS });
  if (result.error) return result.error.message;
  if (result.status === 0) return '';
  return result.stderr.trim().split('\n').at(-1) || `exit status ${result.status}`;
}
