import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type ControlPlane, startControlPlane } from '#api/control-plane.js';
import { ControlConfig, readConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { type EmbeddedPostgres, startPostgres } from '#platform/postgres/embedded-postgres.js';
import { mintToken } from '#platform/token.js';
import { RegistryModule } from '#registry/registry.module.js';
import { WORKER_PATH } from '../registry-fixture.js';

export const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX = 'application/vnd.oci.image.index.v1+json';

export interface OciAnswer {
  status: number;
  headers: Headers;
  body: Buffer;
  /** The body as JSON. */
  json<T = { errors: { code: string; message: string }[] }>(): T;
}

export interface OciCall {
  body?: Uint8Array | string | ReadableStream<Uint8Array>;
  headers?: Record<string, string>;
  /** The whole Authorization header; null: none. Without it the admin's token. */
  authorization?: string | null;
  /** Index of the replica that is asked. */
  replica?: number;
}

export interface Described {
  mediaType: string;
  digest: string;
  size: number;
}

/** Control planes with the real registry on one real PostgreSQL and one folder. */
export class OciFixture {
  readonly adminToken = mintToken();
  readonly logged: string[] = [];
  private readonly planes: ControlPlane[] = [];
  private readonly secretKey = randomBytes(32).toString('base64url');
  private dir!: string;
  private postgres!: EmbeddedPostgres;

  static async start(settings: Record<string, string> = {}): Promise<OciFixture> {
    const fixture = new OciFixture();
    fixture.dir = await mkdtemp(join(tmpdir(), 'whorl-oci-'));
    await fixture.startDatabase();
    await fixture.startReplica(settings);
    return fixture;
  }

  /** Starts the server, on the port that it had before. */
  async startDatabase(): Promise<void> {
    this.postgres = await startPostgres({ dir: join(this.dir, 'postgres') });
  }

  stopDatabase(): Promise<void> {
    return this.postgres.stop();
  }

  /** One more process' worth of control plane on the same database and folder. Answers its index. */
  async startReplica(settings: Record<string, string> = {}): Promise<number> {
    const config = readConfig(ControlConfig, {
      DATABASE_URL: this.postgres.url, WHORL_API_PORT: '0', WHORL_SECRET_KEY: this.secretKey, WHORL_ADMIN_TOKEN: this.adminToken, WHORL_STORAGE_DIR: join(this.dir, 'store'), ...settings,
    });
    const log = new Log({ process: 'control-plane' }, 'info', (line) => this.logged.push(line));
    this.planes.push(await startControlPlane({ config, log, registry: RegistryModule.with(config, { workerPath: WORKER_PATH }) }));
    return this.planes.length - 1;
  }

  async stop(): Promise<void> {
    await Promise.all(this.planes.map((plane) => plane.close()));
    await this.postgres.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  host(replica = 0): string {
    return `127.0.0.1:${this.planes[replica]!.port}`;
  }

  plane(replica = 0): ControlPlane {
    return this.planes[replica]!;
  }

  async call(method: string, path: string, { body, headers = {}, authorization = `Bearer ${this.adminToken}`, replica = 0 }: OciCall = {}): Promise<OciAnswer> {
    const response = await fetch(new URL(path, `http://${this.host(replica)}`), {
      method, redirect: 'manual',
      headers: { ...(authorization !== null && { authorization }), ...headers },
      ...(body !== undefined && { body: body as string | Uint8Array<ArrayBuffer>, ...(body instanceof ReadableStream && { duplex: 'half' as const }) }),
    } as RequestInit);
    const bytes = Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, body: bytes, json: <T>() => JSON.parse(bytes.toString()) as T };
  }

  /** A platform token with these scopes. */
  async token(...scopes: string[]): Promise<string> {
    const body = JSON.stringify({ name: `token-${randomBytes(4).toString('hex')}`, scopes });
    const answer = await this.call('POST', '/v1/tokens', { body, headers: { 'content-type': 'application/json' } });
    return answer.json<{ token: string }>().token;
  }

  /** Pushes a blob by POST and PUT. */
  async pushBlob(repository: string, content: Uint8Array, mediaType = 'application/octet-stream', algorithm = 'sha256'): Promise<Described> {
    const digest = digestOf(content, algorithm);
    const begun = await this.call('POST', `/v2/${repository}/blobs/uploads/`);
    const ended = await this.call('PUT', `${begun.headers.get('location')}?digest=${digest}`, { body: content, headers: { 'content-type': 'application/octet-stream' } });
    if (ended.status !== 201) throw new Error(`the blob was not taken: ${ended.status} ${ended.body.toString()}`);
    return { mediaType, digest, size: content.length };
  }

  pushManifest(repository: string, reference: string, document: object, mediaType = IMAGE): Promise<OciAnswer> {
    return this.call('PUT', `/v2/${repository}/manifests/${reference}`, { body: JSON.stringify(document), headers: { 'content-type': mediaType } });
  }

  /** Pushes an image with a config and layers, under a tag. Answers its descriptor and document. */
  async pushImage(repository: string, tag: string, { layers = 1, ...more }: { layers?: number; [member: string]: unknown } = {}): Promise<Described & { document: { layers: Described[]; config: Described } }> {
    const config = await this.pushBlob(repository, Buffer.from('{}'), 'application/vnd.oci.image.config.v1+json');
    const pushed: Described[] = [];
    for (let i = 0; i < layers; i++) pushed.push(await this.pushBlob(repository, randomBytes(100), 'application/vnd.oci.image.layer.v1.tar'));
    const document = { schemaVersion: 2, mediaType: IMAGE, config, layers: pushed, ...more };
    const answer = await this.pushManifest(repository, tag, document);
    if (answer.status !== 201) throw new Error(`the manifest was not taken: ${answer.status} ${answer.body.toString()}`);
    const text = JSON.stringify(document);
    return { mediaType: IMAGE, digest: digestOf(Buffer.from(text)), size: text.length, document };
  }

  async sql(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }
}

export const digestOf = (content: Uint8Array, algorithm = 'sha256'): string => `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;

/** The codes of an answer in the specification's form. */
export const codesOf = (answer: OciAnswer): string[] => answer.json().errors.map(({ code }) => code);
