import { transformFile } from '@swc/core';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { VersionArtifact } from '#contract/artifact.js';
import { NodeReport, type Assignment, type NodeAssignments, type RemovedChannel } from '#contract/assignment.js';
import { JournalBatch, type JournalRecord } from '#contract/journal.js';
import { laneOf, type Blobs } from './front-fixture.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The runtime's processes as JavaScript in a folder of their own, so that the tests need no build and disturb none. */
export async function compileProcesses(): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), 'whorl-dist-'));
  const folders = ['bin', 'contract', 'platform', 'runtime', 'engine/run'];
  const files = [join(ROOT, 'src/engine/plan.ts'), ...folders.flatMap((folder) => readdirSync(join(ROOT, 'src', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/\.(spec|d)\.ts$/.test(file))
    .map((file) => join(ROOT, 'src', folder, file)))];
  await Promise.all(files.map(async (file) => {
    const { code } = await transformFile(file, {
      jsc: { target: 'es2024', parser: { syntax: 'typescript', decorators: true }, transform: { legacyDecorator: true, decoratorMetadata: true } }, module: { type: 'es6' },
    });
    const to = join(out, 'dist', relative(join(ROOT, 'src'), file).replace(/\.ts$/, '.js'));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, code);
  }));
  const layers = ['contract', 'platform', 'runtime', 'engine'];
  writeFileSync(join(out, 'package.json'), JSON.stringify({ type: 'module', version: '0.0.0', imports: Object.fromEntries(layers.map((layer) => [`#${layer}/*`, `./dist/${layer}/*`])) }));
  symlinkSync(join(ROOT, 'node_modules'), join(out, 'node_modules'));
  return out;
}

/** The node's side of the control plane, in memory: assignments, reports, journals, blobs. */
export class TestControlPlane {
  report: NodeReport | undefined;
  readonly journals = new Map<string, JournalRecord[]>();
  private assignments: Assignment[] = [];
  private removed: RemovedChannel[] = [];
  private revision = 1;
  private waiting: (() => void)[] = [];
  private server: Server | undefined;
  port = 0;

  constructor(private readonly blobs: Blobs) {}

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.answer(request).then(
        (body) => response.writeHead(body === undefined ? 204 : 200, { 'content-type': 'application/json' }).end(body),
        () => response.writeHead(404).end(),
      );
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  /** Assigns versions of an app; `serve` 0: none yet. */
  assign(app: string, generation: number, serve: number, versions: VersionArtifact[]): void {
    const lane = laneOf(app, generation, serve === 0 ? [] : [[serve, 100]]);
    this.assignments = [...this.assignments.filter((each) => each.app !== app), { ...lane, versions }];
    this.removed = this.removed.filter((each) => each.app !== app);
    this.change();
  }

  /** The app is deleted: no node is to hold it. */
  unassign(app: string): void {
    this.removed.push(...this.assignments.filter((each) => each.app === app).map(({ app: name, channel, generation }) => ({ app: name, channel, generation })));
    this.assignments = this.assignments.filter((each) => each.app !== app);
    this.change();
  }

  /** As a control plane that has lost its database: it knows of nothing, and of nothing that was deleted. */
  forget(): void {
    this.assignments = [];
    this.removed = [];
    this.change();
  }

  /** The status that the node has reported, once `holds` of it. */
  async until(app: string, holds: (status: NodeReport['statuses'][number]) => boolean, timeoutMs = 20_000): Promise<NodeReport['statuses'][number]> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const status = this.report?.statuses.find((each) => each.app === app);
      if (status && holds(status)) return status;
      if (performance.now() > end) throw new Error(`not reported in time: ${JSON.stringify(this.report)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Deploys as the platform does: prepared first, then served. */
  async deploy(app: string, generation: number, artifact: VersionArtifact, held: VersionArtifact[] = []): Promise<void> {
    const versions = [...held, artifact];
    this.assign(app, generation - 1, held.at(-1)?.version ?? 0, versions);
    await this.until(app, ({ prepared }) => prepared.includes(artifact.version));
    this.assign(app, generation, artifact.version, versions);
    await this.until(app, (status) => status.generation === generation);
  }

  requests(app: string): number {
    return [...this.journals.values()].flat().reduce((sum, record) => sum + (record.kind === 'usage' && record.app === app ? record.requests : 0), 0);
  }

  lines(app: string): string[] {
    return [...this.journals.values()].flat().flatMap((record) => (record.kind === 'log' && record.app === app ? [record.line] : []));
  }

  private change(): void {
    this.revision++;
    for (const wake of this.waiting.splice(0)) wake();
  }

  private async answer(request: IncomingMessage): Promise<string | Buffer | undefined> {
    const url = new URL(request.url!, 'http://control');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const json = () => JSON.parse(Buffer.concat(chunks).toString()) as unknown;
    if (url.pathname.endsWith('/assignments')) return this.next(url.searchParams.get('after'), request);
    if (url.pathname.endsWith('/report')) {
      this.report = NodeReport.parse(json());
      return undefined;
    }
    if (url.pathname.endsWith('/journal')) return this.take(JournalBatch.parse(json()));
    const { readFile } = await import('node:fs/promises');
    return readFile(this.blobs.path(decodeURIComponent(url.pathname.split('/').at(-1)!) as never));
  }

  private async next(after: string | null, request: IncomingMessage): Promise<string> {
    if (after === String(this.revision)) {
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
        request.socket.once('close', resolve);
      });
    }
    const answer: NodeAssignments = { revision: String(this.revision), assignments: this.assignments, removed: this.removed };
    return JSON.stringify(answer);
  }

  private take({ journal, entries }: JournalBatch): string {
    const records = this.journals.get(journal) ?? [];
    this.journals.set(journal, records);
    for (const { seq, record } of entries) if (seq === records.length + 1) records.push(record);
    return JSON.stringify({ nextSeq: records.length + 1 });
  }
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A node process of its own. */
export class TestNode {
  readonly dir = mkdtempSync(join(tmpdir(), 'whorl-node-'));
  readonly output: string[] = [];
  port = 0;
  private child: ChildProcess | undefined;
  private readonly token = randomBytes(24).toString('hex');

  constructor(private readonly dist: string, private readonly control: TestControlPlane, private readonly settings: Record<string, string> = {}) {}

  /** On a port that stays the same over restarts. */
  async start(port?: number): Promise<void> {
    this.port = port ?? (this.port || await freePort());
    const child = spawn(process.execPath, [join(this.dist, 'dist/bin/node.js')], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        PATH: process.env['PATH'],
        WHORL_API_URL: `http://127.0.0.1:${this.control.port}`, WHORL_NODE_TOKEN: this.token, WHORL_NODE_NAME: 'test', WHORL_NODE_DIR: this.dir,
        WHORL_RUNNERS: '2', WHORL_HTTP_PORT: String(this.port), ...this.settings,
      },
    });
    this.child = child;
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => this.output.push(chunk.toString()));
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => { throw new Error(`the node ended with ${String(code)}: ${this.output.join('')}`); }),
    ]);
  }

  get pid(): number {
    return this.child!.pid!;
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = once(child, 'exit');
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
