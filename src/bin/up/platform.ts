import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { ControlConfig, readConfig, UpConfig } from '#platform/config.js';
import { startPostgres, type EmbeddedPostgres } from '#platform/postgres/embedded-postgres.js';
import { Child } from './child.js';
import { DataDir } from './data-dir.js';
import { controlEnvironment, nodeEnvironment } from './environment.js';
import { deployExample, type DeployedExample } from './example.js';
import type { UpFlags } from './flags.js';
import { reservePort } from './ports.js';
import type { Screen } from './screen.js';
import { openSecrets, type Secrets } from './secrets.js';

const Settings = UpConfig.extend({ WHORL_API_PORT: ControlConfig.shape.WHORL_API_PORT });
const NODE_NAME = 'local';
/** Requests under way may take as long as the limits let them. */
const NODE_STOP_MS = 35_000;
const CONTROL_STOP_MS = 15_000;
const POSTGRES_CHECK_MS = 1_000;
/** After a kill, processes of the predecessor may hold their ports for a moment. */
const RECOVERY_PATIENCE_MS = 10_000;

const script = (name: string): string => fileURLToPath(new URL(`../${name}.js`, import.meta.url));

/**
 * The parts of `whorl up`, in the order they start; they stop the other way round:
 *
 *     data folder ─▶ ports ─▶ PostgreSQL ─▶ control plane + node ─▶ example
 */
export class Platform {
  private readonly settings: z.infer<typeof Settings>;
  private dir: DataDir | undefined;
  private postgres: EmbeddedPostgres | undefined;
  private watch: NodeJS.Timeout | undefined;
  private reviving: Promise<void> | undefined;
  private control: Child | undefined;
  private node: Child | undefined;
  private secrets: Secrets | undefined;
  private apiPort = 0;
  private httpPort = 0;
  private example: DeployedExample | undefined;

  /** Throws UP_CONFIG_INVALID. */
  constructor(private readonly flags: UpFlags, private readonly screen: Screen) {
    try {
      this.settings = readConfig(Settings);
    } catch (error) {
      throw new WhorlError('UP_CONFIG_INVALID', (error as Error).message.replaceAll(/\s*\n\s*/g, ' '), { cause: error });
    }
  }

  /** Returns when everything serves, or early when `stop` aborts. Throws a WhorlError with an UP_… code. */
  async start(stop: AbortSignal): Promise<void> {
    const dir = (this.dir = await DataDir.open(this.flags.dataDir));
    await this.reservePorts(dir);
    this.screen.line(`whorl keeps its data in ${dir.path}`);
    this.secrets = openSecrets(dir);
    const databaseUrl = await this.openDatabase(dir);
    if (stop.aborted) return;
    await this.startChildren(dir, databaseUrl);
    if (stop.aborted) return;
    await this.deployExample(stop);
  }

  /** Stops what runs, what depends on others first. `force` cuts the waiting short. */
  async stop(force: AbortSignal): Promise<void> {
    clearInterval(this.watch);
    this.dir?.markStopping();
    await this.node?.stop(force);
    await this.control?.stop(force);
    await this.reviving;
    await this.postgres?.stop();
    this.dir?.close();
  }

  welcome(): void {
    const { screen } = this;
    const api = `http://localhost:${this.apiPort}`;
    const token = `"Authorization: Bearer $(cat ${shown(this.secrets?.adminTokenFile ?? '')})"`;
    const app = this.example?.app ?? 'tiny';
    screen.line();
    screen.item('API', `${api}/v1`);
    screen.item('API docs', `${api}/docs`);
    screen.item('apps', this.appUrl('APP'));
    if (this.example) screen.item('example', this.example.url);
    screen.item('admin token', shown(this.secrets?.adminTokenFile ?? ''));
    screen.line();
    screen.line('Try next:');
    if (this.example) screen.line(`  curl ${this.example.url}`);
    screen.line(`  curl -X POST -H ${token} -H "Content-Type: application/gzip" \\\n    --data-binary @examples/tiny-wat/tiny-wat.tar.gz "${api}/v1/apps/tiny/versions?wait=30"   # after: node examples/tiny-wat/build.mjs`);
    screen.line(`  curl -H ${token} ${api}/v1/apps/${app}/usage`);
    screen.line(`  curl -H ${token} "${api}/v1/apps/${app}/logs?tail=20"`);
    screen.line();
  }

  /** As processes of this machine reach it, without asking a resolver. */
  private get apiUrl(): string {
    const { WHORL_LISTEN } = this.settings;
    const host = ['0.0.0.0', '::'].includes(WHORL_LISTEN) ? '127.0.0.1' : WHORL_LISTEN;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.apiPort}`;
  }

  private appUrl(app: string): string {
    return `http://${app}.${this.settings.WHORL_APP_DOMAIN}:${this.httpPort}/`;
  }

  private async reservePorts(dir: DataDir): Promise<void> {
    const { WHORL_API_PORT, WHORL_HTTP_PORT, WHORL_LISTEN: host } = this.settings;
    const patienceMs = dir.recovered ? RECOVERY_PATIENCE_MS : 0;
    this.apiPort = await reservePort({ host, port: this.flags.apiPort ?? WHORL_API_PORT, flag: '--api-port', patienceMs });
    this.httpPort = await reservePort({ host, port: this.flags.httpPort ?? WHORL_HTTP_PORT, flag: '--http-port', patienceMs });
    if (this.apiPort === this.httpPort) throw new WhorlError('UP_PORT_IN_USE', `--api-port and --http-port are both ${this.apiPort}`);
  }

  private async openDatabase(dir: DataDir): Promise<string> {
    if (this.settings.DATABASE_URL) {
      this.screen.line('using the database of DATABASE_URL');
      return this.settings.DATABASE_URL;
    }
    const start = (): Promise<EmbeddedPostgres> => startPostgres({ dir: dir.at('postgres'), log: (line) => this.screen.line(line) });
    this.screen.line('starting PostgreSQL');
    this.postgres = await start();
    this.watch = setInterval(() => {
      this.reviving ??= this.keepDatabase(dir, start).finally(() => { this.reviving = undefined; });
    }, POSTGRES_CHECK_MS);
    return this.postgres.url;
  }

  /** Starts PostgreSQL again when it is gone; nearly always on its old port, so that nobody else has to notice. */
  private async keepDatabase(dir: DataDir, start: () => Promise<EmbeddedPostgres>): Promise<void> {
    const last = this.postgres;
    if (!last || last.isRunning()) return;
    this.screen.warn('PostgreSQL ended; starting it again');
    try {
      this.postgres = await start();
      this.screen.line('PostgreSQL runs again');
      if (this.postgres.url !== last.url) this.control?.restart(this.controlEnvironment(dir, this.postgres.url));
    } catch (error) {
      this.screen.warn((error as Error).message);
    }
  }

  private async startChildren(dir: DataDir, databaseUrl: string): Promise<void> {
    this.screen.line('starting the control plane and the node');
    this.control = new Child(
      { name: 'control plane', log: 'control-plane', script: script('control-plane'), env: this.controlEnvironment(dir, databaseUrl), stopTimeoutMs: CONTROL_STOP_MS },
      dir,
      this.screen,
    );
    this.node = new Child({ name: 'node', log: 'node', script: script('node'), env: this.nodeEnvironment(dir), stopTimeoutMs: NODE_STOP_MS }, dir, this.screen);
    await Promise.all([this.control.start(), this.node.start()]);
  }

  private controlEnvironment(dir: DataDir, databaseUrl: string): Record<string, string> {
    return controlEnvironment(process.env, {
      DATABASE_URL: databaseUrl,
      WHORL_API_PORT: String(this.apiPort),
      WHORL_HTTP_PORT: String(this.httpPort),
      WHORL_STORAGE_DIR: dir.folder('registry'),
      WHORL_SECRET_KEY: this.secrets?.secretKey,
      WHORL_ADMIN_TOKEN: this.secrets?.adminToken,
      WHORL_NODE_TOKEN: this.secrets?.nodeToken,
    });
  }

  private nodeEnvironment(dir: DataDir): Record<string, string> {
    return nodeEnvironment(process.env, {
      WHORL_API_URL: this.apiUrl,
      WHORL_HTTP_PORT: String(this.httpPort),
      WHORL_NODE_NAME: NODE_NAME,
      WHORL_NODE_DIR: dir.folder('node'),
      WHORL_NODE_TOKEN: this.secrets?.nodeToken,
    });
  }

  private async deployExample(stop: AbortSignal): Promise<void> {
    if (!this.flags.example || !this.secrets) return;
    this.screen.line('deploying the example app');
    try {
      this.example = await deployExample({ api: this.apiUrl, token: this.secrets.adminToken, file: this.flags.example, stop });
    } catch (error) {
      if (!stop.aborted) this.screen.warn(`the example app was not deployed: ${(error as Error).message}`);
    }
  }
}

/** As short as it can be copied from here. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
