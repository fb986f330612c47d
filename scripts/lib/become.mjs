import { spawn } from 'node:child_process';
import { NODE } from './paths.mjs';

const PARENT_CHECK_MS = 1_000;

/** Runs a program of the platform with its own Node.js in the place of this process: signals, the exit code and the end of either are shared. */
export function become(script, args) {
  const child = spawn(NODE, [script, ...args], {
    // The channel tells the program when we are gone, however that came: it then stops in order.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    console.error(`cannot start ${NODE}: ${error.message}`);
    process.exitCode = 1;
  });
  child.once('exit', (code, signal) => process.exit(signal ? 1 : code));

  // npm killed outright takes nobody along: notice it as a change of parent.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event) setInterval(() => { if (process.ppid !== parent) child.kill('SIGTERM'); }, PARENT_CHECK_MS).unref();
}
