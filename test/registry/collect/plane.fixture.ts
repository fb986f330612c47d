import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type ControlPlane, startControlPlane } from '#api/control-plane.js';
import { ControlConfig, readConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { type EmbeddedPostgres, startPostgres } from '#platform/postgres/embedded-postgres.js';
import { mintToken } from '#platform/token.js';
import { RegistryModule } from '#registry/registry.module.js';
import { OpenApiCheck } from '../../api/openapi-check.js';
import { WORKER_PATH } from '../registry-fixture.js';

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

export interface ReportView {
  versions: number;
  builds: number;
  manifests: number;
  uploads: { count: number; bytes: number };
  blobs: { count: number; bytes: number };
  byReason: Record<string, { count: number; bytes: number }>;
  kept: Record<string, { count: number; bytes: number }>;
}

export interface VersionBody {
  version: number;
  digest: string;
  state: string;
  components: { id: string; digest: string }[];
}

const DAY_S = 24 * 60 * 60;

/** A control plane with the real registry on a real PostgreSQL and a folder, whose contents a test can make old. */
export class PlaneFixture {
  readonly adminToken = mintToken();
  private readonly secretKey = randomBytes(32).toString('base64url');
  plane!: ControlPlane;
  private check!: OpenApiCheck;
  private dir!: string;
  private postgres!: EmbeddedPostgres;

  static async start(settings: Record<string, string> = {}): Promise<PlaneFixture> {
    const fixture = new PlaneFixture();
    fixture.dir = await mkdtemp(join(tmpdir(), 'whorl-collect-'));
    fixture.postgres = await startPostgres({ dir: join(fixture.dir, 'postgres') });
    const config = readConfig(ControlConfig, { ...fixture.settings(), ...settings });
    fixture.plane = await startControlPlane({ config, log: new Log({ process: 'control-plane' }, 'error', () => {}), registry: RegistryModule.with(config, { workerPath: WORKER_PATH }) });
    fixture.check = await OpenApiCheck.load(fixture.url());
    return fixture;
  }

  /** What a control plane on this database and folder needs. */
  settings(): Record<string, string> {
    return {
      DATABASE_URL: this.postgres.url, WHORL_API_PORT: '0', WHORL_SECRET_KEY: this.secretKey, WHORL_ADMIN_TOKEN: this.adminToken, WHORL_STORAGE_DIR: join(this.dir, 'store'),
    };
  }

  async stop(): Promise<void> {
    await this.plane.close();
    await this.postgres.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  url(): string {
    return `http://127.0.0.1:${this.plane.port}`;
  }

  /** Calls the API and holds the answer against its OpenAPI document. */
  async call<T = Record<string, unknown>>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
    const raw = body instanceof Uint8Array;
    const response = await fetch(`${this.url()}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.adminToken}`, ...(body !== undefined && { 'content-type': raw ? 'application/octet-stream' : 'application/json' }), ...headers },
      ...(body !== undefined && { body: raw ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed: unknown = text === '' ? undefined : JSON.parse(text);
    this.check.check(method, path, { status: response.status, contentType: response.headers.get('content-type'), body: parsed });
    return { status: response.status, headers: response.headers, body: parsed as T };
  }

  push(app: string, bundle: Uint8Array, query = 'rollout=none'): Promise<Answer<VersionBody>> {
    return this.call('POST', `/v1/apps/${app}/versions?${query}`, bundle, { 'content-type': 'application/gzip' });
  }

  /** Collects, and waits until that is done. */
  async collect(dryRun = false): Promise<ReportView> {
    const { body } = await this.call<{ state: string; report: ReportView; failure: unknown }>('POST', '/v1/collections?wait=60', { dryRun });
    if (body.state !== 'done') throw new Error(`the collection is ${body.state}: ${JSON.stringify(body)}`);
    return body.report;
  }

  /** Runs an action while somebody else in the fleet has an advisory lock. */
  async whileLocked(key: number, action: () => Promise<void>): Promise<void> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    await client.connect();
    try {
      await client.query('SELECT pg_advisory_lock($1)', [key]);
      await action();
    } finally {
      await client.end();
    }
  }

  async sql<T = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<T[]> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    await client.connect();
    try {
      return (await client.query(text, values)).rows as T[];
    } finally {
      await client.end();
    }
  }

  /** Everything in the store was stored, and every version pushed and served, so many days ago. */
  async age(days = 60): Promise<void> {
    const atS = Date.now() / 1000 - days * DAY_S;
    for (const path of await this.files()) await utimes(path, atS, atS).catch(() => {});
    const ago = `now() - interval '${days} days'`;
    await this.sql(`UPDATE version SET used_at = ${ago}`);
    await this.sql(`UPDATE deployment SET at = ${ago}`);
    await this.sql(`UPDATE repository_blob SET used_at = ${ago}`);
    await this.sql(`UPDATE repository_manifest SET created_at = ${ago}`);
    await this.sql(`UPDATE repository_upload SET used_at = ${ago}`);
  }

  /** Digests of the blobs in the folder whose bytes are whole. */
  async blobs(): Promise<Set<string>> {
    const blobs = new Set<string>();
    for (const path of await this.files('v1/blobs/sha256')) {
      const content = await readFile(path).catch(() => undefined);
      const digest = content && `sha256:${createHash('sha256').update(content).digest('hex')}`;
      if (digest && path.endsWith(digest.slice('sha256:'.length))) blobs.add(digest);
    }
    return blobs;
  }

  /** All digests that a version needs to run on a node. */
  async needed(app: string, version: number): Promise<string[]> {
    const [row] = await this.sql<{ locked: { components: { source: string; files: { digest: string }[] }[] }; builds: Record<string, { plan: string; modules: string[] }> }>(
      `SELECT v.locked_app AS locked, b.builds FROM version v JOIN app a ON a.id = v.app_id JOIN version_build b ON b.app_id = v.app_id AND b.number = v.number WHERE a.name = $1 AND v.number = $2 AND b.builds IS NOT NULL`, [app, version]);
    return [...row!.locked.components.flatMap(({ source, files }) => [source, ...files.map(({ digest }) => digest)]), ...Object.values(row!.builds).flatMap(({ plan, modules }) => [plan, ...modules])];
  }

  private async files(below = 'v1'): Promise<string[]> {
    const root = join(this.dir, 'store', below);
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  }
}
