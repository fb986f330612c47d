// Small pushes by OCI to a control plane of its own, with embedded PostgreSQL and a folder:
//   node bench/registry/pushes.mjs [--pushes 1000] [--concurrency 32] [--rounds 20] [--json]
// First all pushes at once, with readers beside them that hold every tag they see against what was pushed; then rounds in which the control plane is
// killed with SIGKILL in the middle. After each round it starts again, and everything acknowledged must be there, and everything visible whole.
import { fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../dist/platform/postgres/embedded-postgres.js';
import { ROOT } from '../lib/platform.mjs';

const REPOSITORY = 'default/pushes';
const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const READERS = 2;
const MOVED_TAGS = 8;
const ROUND_PUSHES_MS = 1_500;

const { values } = parseArgs({ options: {
  pushes: { type: 'string', default: '1000' }, concurrency: { type: 'string', default: '32' }, rounds: { type: 'string', default: '20' }, json: { type: 'boolean', default: false },
} });
const [pushes, concurrency, rounds] = [values.pushes, values.concurrency, values.rounds].map(Number);
const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

class Server {
  token = randomBytes(24).toString('hex');
  secret = randomBytes(32).toString('base64url');

  static async open() {
    const server = new Server();
    server.dir = await mkdtemp(join(tmpdir(), 'whorl-pushes-'));
    server.postgres = await startPostgres({ dir: join(server.dir, 'postgres') });
    await server.start();
    return server;
  }

  async start() {
    this.child = fork(join(ROOT, 'dist/bin/control-plane.js'), [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: {
        PATH: process.env.PATH, DATABASE_URL: this.postgres.url, WHORL_API_PORT: '0', WHORL_STORAGE_DIR: join(this.dir, 'store'), WHORL_SECRET_KEY: this.secret,
        WHORL_ADMIN_TOKEN: this.token, WHORL_LOG_LEVEL: 'error',
      },
    });
    const [{ port }] = await once(this.child, 'message');
    this.url = `http://127.0.0.1:${port}`;
  }

  async kill() {
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  async close() {
    this.child.kill('SIGTERM');
    await once(this.child, 'exit');
    await this.postgres.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  async call(method, path, { body, headers = {}, expect } = {}) {
    const response = await fetch(new URL(path, this.url), { method, body, headers: { authorization: `Bearer ${this.token}`, ...headers } });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (expect !== undefined && response.status !== expect) throw new Error(`${method} ${path}: ${response.status} ${bytes}`);
    return { status: response.status, headers: response.headers, bytes };
  }

  async pushBlob(content) {
    const digest = digestOf(content);
    const begun = await this.call('POST', `/v2/${REPOSITORY}/blobs/uploads/`, { expect: 202 });
    await this.call('PUT', `${begun.headers.get('location')}?digest=${digest}`, { body: content, expect: 201 });
    return { mediaType: 'application/octet-stream', digest, size: content.length };
  }

  /** Config, layer, then the manifest under its own tag and one that every push of this number moves. `note` is told of each thing acknowledged. */
  async push(name, number, note = () => {}) {
    const blobs = [];
    for (const content of [Buffer.from(JSON.stringify({ name })), randomBytes(1024)]) {
      blobs.push(await this.pushBlob(content));
      note({ blob: blobs.at(-1).digest });
    }
    const manifest = JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config: blobs[0], layers: [blobs[1]] });
    const digest = digestOf(manifest);
    note({ sent: digest, tag: name });
    await this.call('PUT', `/v2/${REPOSITORY}/manifests/${digest}?tag=${name}&tag=moved-${number % MOVED_TAGS}`, { body: manifest, headers: { 'content-type': IMAGE }, expect: 201 });
    note({ acknowledged: digest, tag: name });
    return digest;
  }

  async tags() {
    const { bytes } = await this.call('GET', `/v2/${REPOSITORY}/tags/list`, { expect: 200 });
    return JSON.parse(bytes).tags;
  }

  /** What is wrong with the image that a tag or digest leads to; undefined: nothing. */
  async faultOf(reference, digest) {
    const found = await this.call('GET', `/v2/${REPOSITORY}/manifests/${reference}`);
    if (found.status !== 200) return `${reference}: ${found.status}`;
    if (digestOf(found.bytes) !== found.headers.get('docker-content-digest') || (digest && digestOf(found.bytes) !== digest)) return `${reference}: other bytes`;
    const { config, layers } = JSON.parse(found.bytes);
    for (const blob of [config, ...layers]) {
      const got = await this.call('GET', `/v2/${REPOSITORY}/blobs/${blob.digest}`);
      if (got.status !== 200 || digestOf(got.bytes) !== blob.digest) return `${reference}: ${blob.digest}: ${got.status}`;
    }
    return undefined;
  }
}

async function atOnce(width, count, action) {
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < count) await action(next++);
  }));
}

async function pushAll(server) {
  const pushed = new Map();
  const faults = [];
  let looked = 0;
  let done = false;
  const readers = Array.from({ length: READERS }, async () => {
    while (!done) {
      const tags = pushed.size === 0 ? [] : await server.tags();
      for (const tag of tags.sort(() => Math.random() - 0.5).slice(0, 5)) {
        const fault = await server.faultOf(tag);
        looked++;
        if (fault) faults.push(`while pushing: ${fault}`);
      }
      await sleep(5);
    }
  });
  const from = performance.now();
  await atOnce(concurrency, pushes, async (i) => {
    try {
      pushed.set(`push-${i}`, await server.push(`push-${i}`, i));
    } catch (error) {
      faults.push(`push ${i}: ${error.message}`);
    }
  });
  const seconds = (performance.now() - from) / 1000;
  done = true;
  await Promise.all(readers);
  const tags = await server.tags();
  const lost = [...pushed.keys()].filter((tag) => !tags.includes(tag));
  await atOnce(8, pushed.size, async (i) => {
    const [tag, digest] = [...pushed][i];
    const fault = await server.faultOf(tag, digest);
    if (fault) faults.push(fault);
  });
  return { pushes: pushed.size, seconds: Number(seconds.toFixed(1)), 'pushes/s': Math.round(pushed.size / seconds), 'looked at meanwhile': looked, lost: lost.length, faults };
}

async function killInTheMiddle(server) {
  const all = { rounds: 0, blobs: 0, manifests: 0, 'in flight and visible': 0, 'in flight and not': 0, faults: [] };
  for (let round = 0; round < rounds; round++) {
    const [blobs, sent, acknowledged] = [new Set(), new Map(), new Map()];
    const note = (what) => {
      if (what.blob) blobs.add(what.blob);
      else if (what.sent) sent.set(what.tag, what.sent);
      else acknowledged.set(what.tag, what.acknowledged);
    };
    let over = false;
    const pushing = atOnce(concurrency, Infinity, async (i) => {
      if (over) throw new Error('over');
      await server.push(`round-${round}-${i}`, i, note);
    }).catch(() => {});
    await sleep(ROUND_PUSHES_MS * (0.3 + Math.random() * 0.7));
    await server.kill();
    over = true;
    await pushing;
    await server.start();
    const tags = (await server.tags()).filter((tag) => tag.startsWith(`round-${round}-`) || tag.startsWith('moved-'));
    for (const [tag, digest] of acknowledged) if (!tags.includes(tag)) all.faults.push(`round ${round}: ${tag} (${digest}) was acknowledged and is lost`);
    await atOnce(8, tags.length, async (i) => {
      const fault = await server.faultOf(tags[i], acknowledged.get(tags[i]));
      if (fault) all.faults.push(`round ${round}: ${fault}`);
      if (!tags[i].startsWith('moved-') && !sent.has(tags[i])) all.faults.push(`round ${round}: ${tags[i]} is visible and was never sent`);
    });
    await atOnce(8, blobs.size, async (i) => {
      const digest = [...blobs][i];
      const { status, bytes } = await server.call('GET', `/v2/${REPOSITORY}/blobs/${digest}`);
      if (status !== 200 || digestOf(bytes) !== digest) all.faults.push(`round ${round}: the blob ${digest} was acknowledged and is lost`);
    });
    const open = [...sent.keys()].filter((tag) => !acknowledged.has(tag));
    all.rounds++;
    all.blobs += blobs.size;
    all.manifests += acknowledged.size;
    all['in flight and visible'] += open.filter((tag) => tags.includes(tag)).length;
    all['in flight and not'] += open.filter((tag) => !tags.includes(tag)).length;
  }
  return all;
}

const server = await Server.open();
try {
  const results = { [`${pushes} pushes, ${concurrency} at once`]: await pushAll(server), 'kill -9 in the middle': await killInTheMiddle(server) };
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else for (const [name, { faults, ...counts }] of Object.entries(results)) console.log(`${name}\n  ${Object.entries(counts).map(([key, value]) => `${key}: ${value}`).join(', ')}\n  faults: ${faults.length}${faults.slice(0, 20).map((fault) => `\n    ${fault}`).join('')}`);
  process.exitCode = Object.values(results).some(({ faults, lost = 0 }) => faults.length + lost > 0) ? 1 : 0;
} finally {
  await server.close();
}
