import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '#api/control-plane.js';
import { ControlConfig, readConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { type EmbeddedPostgres, startPostgres } from '#platform/postgres/embedded-postgres.js';
import { mintToken } from '#platform/token.js';
import { RegistryModule } from '#registry/registry.module.js';
import { WORKER_PATH } from '../registry-fixture.js';

export interface PlaneAnswer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
  text: string;
}

/** A control plane with the real registry over a folder, on a real PostgreSQL. */
export class RegistryPlane {
  readonly token = mintToken();
  private plane: ControlPlane | undefined;
  private postgres!: EmbeddedPostgres;

  private constructor(readonly dir: string) {}

  static async start(settings: Record<string, string> = {}): Promise<RegistryPlane> {
    const fixture = new RegistryPlane(await mkdtemp(join(tmpdir(), 'whorl-plane-')));
    fixture.postgres = await startPostgres({ dir: join(fixture.dir, 'postgres') });
    const config = readConfig(ControlConfig, {
      DATABASE_URL: fixture.postgres.url, WHORL_API_PORT: '0', WHORL_SECRET_KEY: randomBytes(32).toString('base64url'), WHORL_ADMIN_TOKEN: fixture.token,
      WHORL_STORAGE_DIR: join(fixture.dir, 'registry'), ...settings,
    });
    const log = new Log({ process: 'control-plane' }, 'error', (line) => process.stderr.write(`${line}\n`));
    try {
      fixture.plane = await startControlPlane({ config, log, registry: RegistryModule.with(config, { workerPath: WORKER_PATH }) });
    } catch (error) {
      await fixture.stop();
      throw error;
    }
    return fixture;
  }

  get host(): string {
    return `127.0.0.1:${this.plane!.port}`;
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<PlaneAnswer> {
    const response = await fetch(`http://${this.host}${path}`, {
      method,
      headers: { authorization: path.startsWith('/v2') ? `Basic ${Buffer.from(`me:${this.token}`).toString('base64')}` : `Bearer ${this.token}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    return { status: response.status, headers: response.headers, text, body: isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {} };
  }

  async stop(): Promise<void> {
    await this.plane?.close();
    await this.postgres.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}
