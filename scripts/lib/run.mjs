import { spawn } from 'node:child_process';
import { NODE, ROOT } from './paths.mjs';

/**
 * Runs a JavaScript program with the platform's Node.js and its tools first in PATH. What it writes is kept in `output`; with `show:
 * 'stderr'` that stream is seen at once instead. Returns its exit status (128: a signal).
 */
export function runNode(args, { env = {}, show = '', nodeOptions = '' } = {}) {
  const path = `${ROOT}/node_modules/.bin:${process.env.PATH}`;
  const child = spawn(NODE, args, {
    cwd: ROOT,
    env: { ...process.env, PATH: path, ...(nodeOptions && { NODE_OPTIONS: nodeOptions }), ...env },
    stdio: ['ignore', 'pipe', show === 'stderr' ? 'inherit' : 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => { output += text; });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ status: signal ? 128 : code, output }));
  });
}

/** Throws with what the program wrote when it fails. */
export async function mustRunNode(what, args, options) {
  const { status, output } = await runNode(args, options);
  if (status !== 0) throw new Error(`${what} failed (exit status ${status})\n${output.trim()}`);
  return output;
}

export const seconds = (sinceMs) => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
