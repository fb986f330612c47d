import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/**
 * The command line of a process that is alive. undefined: there is none with this id, or only a zombie, which still answers signals
 * (a killed process whose parent never waited for it, as in a container without an init).
 */
export function findProcess(pid: number): string | undefined {
  return existsSync('/proc/self/status') ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): string | undefined {
  try {
    if (/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return undefined;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trimEnd();
  } catch {
    return undefined;
  }
}

function fromPs(pid: number): string | undefined {
  const line = spawnSync('ps', ['-o', 'stat=,command=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
  const [state = '', ...command] = line.split(/\s+/);
  return state === '' || state.startsWith('Z') ? undefined : command.join(' ');
}
