// CPU time and memory of a process and all that it started.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second on every platform that Node.js runs on. */
const TICK_MS = 10;
const KIBIBYTE = 1024;

/** `[{ pid, parent, command }]` of everything that runs. */
function all() {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8', maxBuffer: 2 ** 26 }).trim().split('\n').map((line) => {
    const [, pid, parent, command] = /^ *(\d+) +(\d+) (.*)$/.exec(line);
    return { pid: Number(pid), parent: Number(parent), command };
  });
}

/** The process and its descendants, as they are now; with `matching` only those below (and with) the first whose command matches. */
export function processTree(root, matching) {
  const processes = all();
  const below = (pid) => [pid, ...processes.filter(({ parent }) => parent === pid).flatMap((each) => below(each.pid))];
  const pids = below(root);
  if (!matching) return pids;
  const found = processes.find(({ pid, command }) => pids.includes(pid) && matching.test(command));
  if (!found) throw new Error(`no process below ${root} is like ${matching}`);
  return below(found.pid);
}

/** CPU time of each since its start, in ms; 0 for one that has ended. */
export function cpuMs(pids) {
  if (process.platform === 'linux') return pids.map(linuxCpuMs);
  return pids.map((pid) => columns('time', [pid])[0].split(/[:-]/).reduce((total, part) => total * 60 + Number(part), 0) * 1e3);
}

/** CPU time between two answers of `cpuMs` for the same processes; one that ended meanwhile counts nothing. */
export const cpuBetweenMs = (from, to) => to.reduce((sum, ms, i) => sum + Math.max(0, ms - from[i]), 0);

function linuxCpuMs(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // After the name, which may hold anything, in parentheses: utime and stime are the 14th and 15th field of all.
    const [user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13).map(Number);
    return (user + system) * TICK_MS;
  } catch {
    return 0;
  }
}

/** Resident memory, in bytes; a process that has ended counts 0. */
export function rssBytes(pids) {
  if (process.platform === 'linux') return pids.reduce((sum, pid) => sum + linuxRssBytes(pid), 0);
  return columns('rss', pids).reduce((sum, kilobytes) => sum + Number(kilobytes) * KIBIBYTE, 0);
}

function linuxRssBytes(pid) {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) * KIBIBYTE;
  } catch {
    return 0;
  }
}

function columns(name, pids) {
  return execFileSync('ps', ['-o', `${name}=`, '-p', pids.join(',')], { encoding: 'utf8' }).trim().split('\n').map((each) => each.trim());
}
