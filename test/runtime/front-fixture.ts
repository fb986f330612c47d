import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VersionArtifact } from '#contract/artifact.js';
import type { LockedComponent, LockedHttpTrigger } from '#contract/bundle/locked-app.js';
import { WhorlError } from '#contract/errors.js';
import type { AppName, ChannelName, Digest, VersionNumber } from '#contract/ids.js';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import type { JournalRecord, LogRecord, UsageRecord } from '#contract/journal.js';
import { buildComponent } from '#engine/build/build-component.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import { Log } from '#platform/log.js';
import { NO_GUEST_SETTINGS, type GuestSettings } from '#runtime/capability/guest-settings.js';
import type { PlatformLimits } from '#runtime/component/limits.js';
import { parseJournalLines } from '#runtime/meter/journal-line.js';
import { Journal } from '#runtime/meter/journal.js';
import { Meter } from '#runtime/meter/meter.js';
import { Front } from '#runtime/trigger/front.js';
import type { LoadedBounds } from '#runtime/trigger/loaded-versions.js';
import type { StoredVersion } from '#runtime/trigger/stored-version.js';
import type { AppLane } from '#runtime/trigger/version-host.js';

const MEBIBYTE = 2 ** 20;
export const LIMITS: PlatformLimits = {
  cpuMs: 30_000, wallMs: 5_000, memoryBytes: 64 * MEBIBYTE, hostBytes: 64 * MEBIBYTE, concurrency: 128, queued: 512, queueMs: 5_000, requestBytes: 128 * MEBIBYTE,
  responseBytes: 128 * MEBIBYTE, outboundRequests: 1_000, outboundConcurrency: 128, outboundConnections: 512, logBytes: 256 * 1024,
  runnerInvocations: 1_024, reuse: { requests: 128, concurrent: 16, idleMs: 1_000 },
};

/** Nothing is let go of. */
export const STAY_LOADED: LoadedBounds = { idleAfterMs: 3_600_000, maxLoaded: 1_000, memoryBytes: Infinity };

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;

/** A folder of blobs by digest, as a node's cache would be. */
export class Blobs {
  readonly dir = mkdtempSync(join(tmpdir(), 'whorl-blobs-'));

  put(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    writeFileSync(this.path(digest), bytes);
    return digest;
  }

  /** As a node keeps a version for its runners. */
  store(artifact: VersionArtifact): StoredVersion {
    const { version, digest } = artifact;
    return { version, digest, artifact: this.put(Buffer.from(JSON.stringify(artifact))) };
  }

  path(digest: Digest): string {
    return join(this.dir, digest.replace(':', '-'));
  }

  /** Builds a component and keeps what a node needs of it. */
  async build(wasm: Uint8Array) {
    const built = await buildComponent(wasm, { memoryCapBytes: LIMITS.memoryBytes });
    return {
      engine: ENGINE_VERSION,
      component: digestOf(wasm),
      plan: this.put(Buffer.from(JSON.stringify(built.plan))),
      modules: built.modules.map((module) => this.put(module)),
      handlers: built.handlers,
      imports: built.imports,
      exports: built.exports,
      componentized: built.componentized,
    };
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export type Built = Awaited<ReturnType<Blobs['build']>>;

export const httpTrigger = (id: string, route: string | null, rest: Partial<LockedHttpTrigger>): LockedHttpTrigger =>
  ({ type: 'http', id, route, executor: { type: 'http' }, ...rest });

/** A version with components by id, and what it is triggered by. */
export function artifactOf(version: number, builds: Record<string, Built>, triggers: LockedHttpTrigger[], edit: Partial<LockedComponent> = {}): VersionArtifact {
  const components = Object.entries(builds).map(([id, { component }]): LockedComponent => ({
    id, source: component, sourceBytes: 1, environment: {}, files: [], variables: {}, allowedOutboundHosts: [], keyValueStores: [],
    sqliteDatabases: [], aiModels: [], limits: {}, ...edit,
  }));
  return {
    version: version as VersionNumber,
    digest: digestOf(Buffer.from(`bundle ${version}`)),
    app: { name: 'fixture', version: '1.2.3', description: '', authors: [], variables: {}, triggers, components },
    builds,
  };
}

export function laneOf(app: string, generation: number, serve: [version: number, percent: number][]): AppLane {
  return {
    org: 'default', app: app as AppName, channel: 'production' as ChannelName, generation, hosts: [`${app}.localhost`],
    serve: serve.map(([version, percent]) => ({ version: version as VersionNumber, percent })), variables: {}, variablesRevision: 1, runtime: NO_RUNTIME_GRANT,
  };
}

/** A front on a free port (or a socket), with its journal. */
export class TestFront {
  readonly dir = mkdtempSync(join(tmpdir(), 'whorl-front-'));
  readonly heavy: string[] = [];
  readonly faults: string[] = [];
  readonly meter: Meter;
  readonly front: Front;

  readonly unloadable: string[] = [];
  readonly mended: number[] = [];
  onMend = (): void => {};
  /** What the front takes for the memory of its process, and how often it had that looked through. */
  rssBytes = 0;
  collections = 0;

  // oxlint-disable-next-line max-params -- what tests vary, one by one
  constructor(private readonly blobs: Blobs, lane: 'shared' | 'heavy' = 'shared', limits: PlatformLimits = LIMITS, loaded: LoadedBounds = STAY_LOADED, verifyResetEvery = 0, settings: GuestSettings = NO_GUEST_SETTINGS, gatewayPath: string | null = null) {
    mkdirSync(join(this.dir, 'journals'));
    this.meter = new Meter(new Journal({ dir: join(this.dir, 'journals'), writer: `test-${lane}`, onError: (error) => { throw error; } }));
    this.front = new Front({
      lane, limits, node: 'node-1', appDomain: 'localhost', publicPort: 3000, stateDir: join(this.dir, 'state'), allowPrivateHosts: false, settings, verifyResetEvery, meter: this.meter,
      log: new Log({}, 'warn', (line) => this.faults.push(line)),
      blobPath: (digest) => blobs.path(digest),
      onHeavy: (app) => this.heavy.push(app),
      gatewayPath,
      loaded,
      memory: { rssBytes: () => this.rssBytes, collect: () => this.collections++ },
      mend: async (_lane, { version }) => {
        this.mended.push(version);
        this.onMend();
      },
      openPreview: ({ app, version }) => Promise.reject(new WhorlError('NODE_PREVIEW_UNKNOWN', `${app} has no version ${version}`)),
      onUnloadable: (app, _channel, { version }, { code }) => this.unloadable.push(`${app} ${version} ${code}`),
    });
  }

  async listen(socketPath?: string): Promise<this> {
    await new Promise<void>((resolve) => this.front.server.listen(socketPath ? { path: socketPath } : { host: '127.0.0.1', port: 0 }, resolve));
    return this;
  }

  get port(): number {
    return (this.front.server.address() as AddressInfo).port;
  }

  /** Prepares and serves one version. */
  async deploy(app: string, artifact: VersionArtifact, generation: number = artifact.version): Promise<void> {
    const lane = laneOf(app, generation, [[artifact.version, 100]]);
    await this.front.prepare(lane, this.blobs.store(artifact));
    await this.front.serve(lane);
  }

  records(): JournalRecord[] {
    this.meter.flush();
    const dir = join(this.dir, 'journals');
    return readdirSync(dir).flatMap((file) => parseJournalLines(readFileSync(join(dir, file)), 1e6).entries.map(({ record }) => record));
  }

  usage(): { requests: number; errors: number; bytesIn: number; bytesOut: number; cpuMs: number } {
    const sum = { requests: 0, errors: 0, bytesIn: 0, bytesOut: 0, cpuMs: 0 };
    for (const record of this.records()) {
      if (record.kind === 'usage') for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += (record as UsageRecord)[key];
    }
    return sum;
  }

  logs(): LogRecord[] {
    return this.records().filter((record) => record.kind === 'log');
  }

  async close(): Promise<void> {
    await this.front.drain(500);
    this.meter.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

/** One request on a connection of its own. */
export function ask(port: number, host: string, path = '/', { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, agent: false, headers: { host, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Sends bytes as they are, and gives what comes until the other side closes or `until` is in it. */
export function raw(port: number, bytes: string, until?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (until !== undefined && text.includes(until)) socket.destroy();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}
