// A node process, with its runners, on a folder of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ROOT } from '../lib/platform.mjs';
import { processTree, rssBytes } from '../throughput/processes.mjs';

const TOKEN = 'a token that nobody checks';

export class Node {
  dir = mkdtempSync(join(tmpdir(), 'whorl-density-'));
  port = 0;
  #child;

  constructor(control, runners) {
    Object.assign(this, { control, runners });
  }

  /** Until it listens; ms. */
  async start() {
    this.port ||= await freePort();
    const startMs = performance.now();
    const child = spawn(process.execPath, [join(ROOT, 'dist/bin/node.js')], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        PATH: process.env.PATH, NODE_ENV: 'production', WHORL_API_URL: this.control.url, WHORL_NODE_TOKEN: TOKEN, WHORL_NODE_NAME: 'bench', WHORL_NODE_DIR: this.dir,
        WHORL_RUNNERS: `${this.runners}`, WHORL_HTTP_PORT: `${this.port}`, WHORL_LOG_LEVEL: 'warn',
      },
    });
    this.#child = child;
    let output = '';
    child.stderr.on('data', (chunk) => { if (output.length < 10_000) output += chunk; });
    await new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', (code) => reject(new Error(`the node ended with ${code}\n${output}`)));
    });
    child.removeAllListeners('exit');
    return performance.now() - startMs;
  }

  rssBytes() {
    return rssBytes(processTree(this.#child.pid));
  }

  async stop() {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  async remove() {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
