// The peers as processes: each answers on a port of 127.0.0.1 until it is stopped.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { freePort, ROOT } from '../lib/platform.mjs';
import { processTree } from './processes.mjs';

const START_TIMEOUT_MS = 120_000;
const here = (file) => join(ROOT, 'bench/throughput', file);
const PEERS = join(ROOT, 'bench');

/** A program that says `ready` on one of its streams. */
class Server {
  constructor(port, child) {
    Object.assign(this, { port, child, host: `127.0.0.1:${port}` });
  }

  /** Its processes as they are now. */
  pids() {
    return processTree(this.child.pid);
  }

  /** With everything it has started: `jco serve` leaves its server behind when it is killed. */
  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    for (const pid of this.pids()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
    await ended;
  }
}

async function start({ command, args, env = {}, port, isReady }) {
  const child = spawn(command, args, { cwd: PEERS, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let timer;
  await new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${command} ${args.join(' ')}: ${why}\n${output}`));
    timer = setTimeout(() => { child.kill('SIGKILL'); fail('not ready in time'); }, START_TIMEOUT_MS);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => fail(`ended with ${code}`));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        if (output.length < 10_000) output += chunk;
        if (isReady(output)) resolve();
      });
    }
  }).finally(() => clearTimeout(timer));
  child.removeAllListeners('exit');
  return new Server(port, child);
}

export async function startBare(processes) {
  const port = await freePort();
  return start({ command: process.execPath, args: [here('bare.server.mjs')], env: { PORT: `${port}`, PROCESSES: `${processes}` }, port, isReady: (output) => output.includes('ready\n') });
}

/** `jco serve`; `mode`: shared (its default), instance or worker, as its `--isolate-requests` has them. */
export async function startJco(wasm, mode, workers) {
  const port = await freePort();
  const isolation = mode === 'shared' ? [] : ['--isolate-requests', mode, '--isolate-worker-pool-size', `${workers}`];
  const jco = join(PEERS, 'node_modules/@bytecodealliance/jco/dist/jco.js');
  return start({ command: process.execPath, args: [jco, 'serve', wasm, '--host', '127.0.0.1', '--port', `${port}`, ...isolation], port, isReady: (output) => output.includes('Server listening') });
}

export async function startWorkerd() {
  const port = await freePort();
  const { default: workerd } = createRequire(join(PEERS, 'package.json'))('workerd');
  const args = ['serve', here('workerd.capnp'), `--socket-addr=http=127.0.0.1:${port}`, '--control-fd=1'];
  return start({ command: workerd, args, port, isReady: (output) => output.includes('"listen"') });
}
