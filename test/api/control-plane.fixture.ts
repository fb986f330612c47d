import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type ControlPlane, startControlPlane } from '#api/control-plane.js';
import { RetentionService } from '#api/retention/retention.service.js';
import { ControlConfig, readConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { type EmbeddedPostgres, startPostgres } from '#platform/postgres/embedded-postgres.js';
import { mintToken } from '#platform/token.js';
import { BundleRegistry, bundleRegistryModule } from './bundle-registry.js';
import { OpenApiCheck } from './openapi-check.js';
import { SimulatedNode } from './simulated-node.js';

export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

export interface Call {
  body?: unknown;
  token?: string | null;
  headers?: Record<string, string>;
}

/** A real control plane on a real PostgreSQL, of its own for one spec file. */
export class ControlPlaneFixture {
  readonly adminToken = mintToken();
  readonly nodeToken = mintToken();
  readonly registry = new BundleRegistry();
  readonly logged: string[] = [];
  private readonly cleanups: (() => Promise<unknown>)[] = [];
  private planes: (ControlPlane | undefined)[] = [];
  private check!: OpenApiCheck;
  databaseUrl!: string;
  private dir!: string;
  private postgres: EmbeddedPostgres | undefined;

  /** @param settings variables of the first replica */
  static async start(settings: Record<string, string> = {}): Promise<ControlPlaneFixture> {
    const fixture = new ControlPlaneFixture();
    const dir = await mkdtemp(join(tmpdir(), 'whorl-api-'));
    fixture.cleanups.push(() => rm(dir, { recursive: true, force: true }));
    fixture.dir = dir;
    await fixture.startDatabase();
    fixture.cleanups.unshift(() => fixture.stopDatabase());
    await fixture.startReplica(settings);
    fixture.check = await OpenApiCheck.load(fixture.url());
    return fixture;
  }

  async stop(): Promise<void> {
    await Promise.all(this.planes.map((plane) => plane?.close()));
    for (const cleanup of this.cleanups) await cleanup();
  }

  /** One more process' worth of control plane on the same database, with these variables set. Answers its index. */
  async startReplica(settings: Record<string, string> = {}): Promise<number> {
    const config = readConfig(ControlConfig, {
      DATABASE_URL: this.databaseUrl,
      WHORL_API_PORT: '0',
      WHORL_SECRET_KEY: this.secretKey,
      WHORL_ADMIN_TOKEN: this.adminToken,
      WHORL_NODE_TOKEN: this.nodeToken,
      ...settings,
    });
    const log = new Log({ process: 'control-plane' }, 'info', (line) => this.logged.push(line));
    this.planes.push(await startControlPlane({ config, log, registry: bundleRegistryModule(this.registry) }));
    return this.planes.length - 1;
  }

  async stopReplica(index: number): Promise<void> {
    await this.planes[index]!.close();
    this.planes[index] = undefined;
  }

  /** Starts the server, on the port that it had before. */
  async startDatabase(): Promise<void> {
    this.postgres = await startPostgres({ dir: this.dir });
    this.databaseUrl = this.postgres.url;
  }

  async stopDatabase(): Promise<void> {
    await this.postgres?.stop();
    this.postgres = undefined;
  }

  /** Forgets what is due, as the hourly job does. */
  async sweep(): Promise<void> {
    await this.planes.find((plane) => plane !== undefined)!.get(RetentionService).sweep(Date.now());
  }

  url(replica?: number): string {
    const plane = replica === undefined ? this.planes.find((candidate) => candidate !== undefined) : this.planes[replica];
    return `http://127.0.0.1:${plane!.port}`;
  }

  nodesPort(replica = 0): number {
    return this.planes[replica]!.nodesPort!;
  }

  node(name?: string, replica?: number, engines?: string[]): SimulatedNode {
    const node = new SimulatedNode(this.url(replica), this.nodeToken, name, engines).start();
    this.cleanups.unshift(() => node.stop());
    return node;
  }

  /** Calls the API and holds the answer against its OpenAPI document. */
  async call<T = Record<string, unknown>>(method: string, path: string, { body, token = this.adminToken, headers = {} }: Call = {}): Promise<Answer<T>> {
    const json = body !== undefined && !(body instanceof Uint8Array) && typeof body !== 'string';
    const response = await fetch(`${this.url()}${path}`, {
      method,
      headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...(json && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: json ? JSON.stringify(body) : (body as string | Uint8Array<ArrayBuffer>) }),
    });
    const text = await response.text();
    const parsed: unknown = text === '' ? undefined : JSON.parse(text);
    this.check.check(method, path, { status: response.status, contentType: response.headers.get('content-type'), body: parsed });
    return { status: response.status, headers: response.headers, body: parsed as T };
  }

  /** Pushes a bundle. */
  push<T = Record<string, unknown>>(app: string, bundle: Uint8Array, query = 'wait=20', headers: Record<string, string> = {}): Promise<Answer<T>> {
    return this.call<T>('POST', `/v1/apps/${app}/versions?${query}`, { body: bundle, headers: { 'content-type': 'application/gzip', ...headers } });
  }

  /** Runs SQL on the database, for what no route shows. */
  async sql(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.databaseUrl });
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  private readonly secretKey = randomBytes(32).toString('base64url');
}
