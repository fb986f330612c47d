// One process of the fleet: started, killed, paused and started again by its pid, together with whatever it has started itself.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS = 60_000;
const STOP_MS = 60_000;
const OUTPUT_KEPT = 256 * 1024;

/** Those that run: one that is paused would outlive us. */
const running = new Set();
process.on('exit', () => { for (const member of running) member.signal('SIGKILL'); });

export class Member {
  /** What it wrote, the last of it. */
  output = '';
  /** What it said when it began to serve. */
  said = null;
  child = null;
  killedAtMs = null;

  /** @param options `script` of dist/bin, `env` (nothing else is in its environment) and `prefix`: a program with arguments that becomes it */
  constructor(name, { script, env, prefix = [] }) {
    Object.assign(this, { name, script, env, prefix });
  }

  get pid() { return this.child?.pid; }
  get isRunning() { return this.child !== null; }

  /** Returns when it serves. Throws with what it wrote when it ends first. */
  async start() {
    if (this.child) throw new Error(`${this.name} runs`);
    const [program, ...args] = [...this.prefix, process.execPath, this.script];
    // A group of its own: what it starts is killed with it, as with a machine.
    const child = spawn(program, args, { env: this.env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true });
    this.child = child;
    running.add(this);
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { this.output = (this.output + text).slice(-OUTPUT_KEPT); });
    this.ended = new Promise((resolve) => child.once('exit', (code, signal) => {
      this.child = null;
      running.delete(this);
      resolve(signal ?? code);
    }));
    const listening = new Promise((resolve) => child.on('message', (message) => { if (message?.type === 'listening') resolve(message); }));
    const late = new AbortController();
    const said = await Promise.race([listening, this.ended, sleep(START_MS, 'too late', { signal: late.signal, ref: false }).catch(() => {})]);
    late.abort();
    if (said?.type !== 'listening') {
      await this.kill();
      throw new Error(`${this.name} did not serve (${said}):\n${this.output}`);
    }
    this.said = said;
    return this;
  }

  /** Asks it to end and waits for that; ends it by force when it takes too long. */
  async stop(timeoutMs = STOP_MS) {
    if (!this.child) return;
    this.signal('SIGCONT');
    this.child.kill('SIGTERM');
    const late = new AbortController();
    const how = await Promise.race([this.ended, sleep(timeoutMs, 'too late', { signal: late.signal, ref: false }).catch(() => {})]);
    late.abort();
    if (how === 'too late') await this.kill();
    return how;
  }

  /** As when its machine loses power: no process of it does anything any more. Returns when it is gone. */
  async kill() {
    if (!this.child) return;
    const { ended } = this;
    this.killedAtMs = Date.now();
    this.signal('SIGKILL');
    await ended;
  }

  /** It does nothing until `resume`; its sockets stay open. */
  pause() { this.signal('SIGSTOP'); }
  resume() { this.signal('SIGCONT'); }

  async restart() {
    await this.stop();
    return this.start();
  }

  signal(signal) {
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // It has just ended.
    }
  }
}
