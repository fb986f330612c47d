// Starts a whole Whorl of its own (embedded parts, free ports, a fresh data folder) for one benchmark run, and talks to it as a user would.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A TCP port that is free on 127.0.0.1 at this moment. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs `whorl up --no-example` of the checkout `root`; resolves when it said `whorl ready`. */
export async function startPlatform({ env = {}, dataDir, root = ROOT } = {}) {
  const dir = dataDir ?? (await mkdtemp(join(tmpdir(), 'whorl-bench-')));
  const [apiPort, httpPort] = [await freePort(), await freePort()];
  const node = join(ROOT, 'node_modules/.bin/node');
  const child = spawn(node, [join(root, 'dist/bin/up.js'), '--no-example', '--data-dir', dir, '--api-port', `${apiPort}`, '--http-port', `${httpPort}`], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  await new Promise((resolve, reject) => {
    const look = (chunk) => {
      output += chunk;
      if (/^whorl ready$/m.test(output)) resolve();
    };
    child.stdout.on('data', look);
    child.stderr.on('data', (chunk) => { output += chunk; });
    child.once('exit', (code) => reject(new Error(`whorl up ended with ${code}:\n${output}`)));
  });
  const token = (await readFile(join(dir, 'admin-token'), 'utf8')).trim();
  return new Platform({ dir, child, apiPort, httpPort, token, temporary: dataDir === undefined });
}

class Platform {
  constructor(fields) { Object.assign(this, fields); }

  get api() { return `http://127.0.0.1:${this.apiPort}`; }

  /** One API call; throws on a status of 400 and above. */
  async call(method, path, { body, headers = {} } = {}) {
    const response = await fetch(this.api + path, { method, headers: { authorization: `Bearer ${this.token}`, ...headers }, body });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  push(app, bundle, query = 'wait=60') {
    return this.call('POST', `/v1/apps/${app}/versions?${query}`, { body: bundle, headers: { 'content-type': 'application/gzip' } });
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await ended;
    if (this.temporary) await rm(this.dir, { recursive: true, force: true });
  }
}
