import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { RequestListener, Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { type INestApplication, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { ControlConfig } from '#platform/config.js';
import { createHttpApp } from '#platform/http/http-app.js';
import { MetricsServer, toMetricsAddress } from '#platform/http/metrics-server.js';
import { Lifetime } from '#platform/lifetime.js';
import type { Log } from '#platform/log.js';
import { PlatformModule } from '#platform/platform.module.js';
import { migrate } from '#platform/prisma/migrator.js';
import { VERSION } from '#platform/version.js';
import { Wakeups } from '#platform/wakeups.js';
import { ApiModule } from './api.module.js';
import { AuthService } from './auth/auth.service.js';
import { ApiMetrics } from './metrics/api-metrics.js';
import { PlatformCountsRepository } from './metrics/platform-counts.repository.js';
import { KeyringService } from './identity/keyring.service.js';
import { NodesPort } from './identity/nodes-port.js';

/** What is under way when the process is told to end has this long. */
const GRACE_MS = 10_000;
const LOOK_MS = 50;

const MIGRATIONS = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

export interface ControlPlaneOptions {
  config: ControlConfig;
  log: Log;
  /** A module that exports contract/registry's `Registry`. */
  registry: NonNullable<ModuleMetadata['imports']>[number];
}

export interface ControlPlane {
  port: number;
  /** Where nodes of other machines come, by mutual TLS; undefined: nowhere. */
  nodesPort: number | undefined;
  /** One of its services, for whoever runs it in the same process. */
  get<T>(service: Type<T>): T;
  /** Lets what is under way come to its end, and lets go of everything. */
  close(): Promise<void>;
}

/** The control plane in one piece: migrates the database, registers the configured tokens, makes the platform's keys, listens. */
export async function startControlPlane({ config, log, registry }: ControlPlaneOptions): Promise<ControlPlane> {
  const lifetime = new Lifetime();
  const wakeups = new Wakeups(config.DATABASE_URL, log, lifetime.signal);

  @Module({ imports: [PlatformModule.with({ config, log, wakeups, lifetime }), ApiModule.with(registry)] })
  class ControlPlaneModule {}

  let app: INestApplication | undefined;
  let metricsServer: MetricsServer | undefined;
  let nodesPort: NodesPort | undefined;
  const close = async () => {
    lifetime.end();
    const stopClosing = [...(app ? [app.getHttpServer() as Server] : []), ...(nodesPort ? [nodesPort.server] : [])].map(closeConnections);
    try {
      await Promise.all([app?.close(), nodesPort?.close(), metricsServer?.close()]);
    } finally {
      for (const stop of stopClosing) stop();
      await wakeups.stop();
    }
  };
  try {
    const making = createHttpApp(ControlPlaneModule, { log, version: VERSION, lifetime }).then((made) => (app = made));
    const [applied, made] = await allOf([migrate(config.DATABASE_URL, MIGRATIONS), making, wakeups.start()]);
    if (applied.length > 0) log.info('migrated the database', { applied });
    await made.get(AuthService).registerConfigured();
    metricsServer = await openMetrics(made, config, log);
    await made.get(KeyringService).ensure();
    await made.init();
    nodesPort = await openNodesPort(made, config, log);
    const server = made.getHttpServer() as Server;
    server.listen(config.WHORL_API_PORT, config.WHORL_LISTEN);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return { port, nodesPort: nodesPort?.port, get: (service) => made.get(service), close };
  } catch (error) {
    // What had begun is given back; why it failed is what counts.
    await close().catch((fault: unknown) => log.warn('could not close what had begun', { error: fault }));
    throw error;
  }
}

/** Figures of this replica on an address of their own, where the operator wants them. */
async function openMetrics(app: INestApplication, { WHORL_API_METRICS_LISTEN: address }: ControlConfig, log: Log): Promise<MetricsServer | undefined> {
  if (address === undefined) return undefined;
  const counts = app.get(PlatformCountsRepository);
  const metrics = new ApiMetrics(() => counts.read());
  app.use(metrics.observe);
  const server = await MetricsServer.start(toMetricsAddress(address), metrics).catch((cause: Error) => {
    throw new Error(`WHORL_API_METRICS_LISTEN: ${cause.message}`, { cause });
  });
  log.info('metrics are answered', { address, port: server.port });
  return server;
}

/** Where nodes of other machines come, if the operator wants one. */
async function openNodesPort(app: NestExpressApplication, config: ControlConfig, log: Log): Promise<NodesPort | undefined> {
  const { WHORL_NODES_PORT: port, WHORL_NODES_LISTEN: host = config.WHORL_LISTEN } = config;
  if (port === undefined) return undefined;
  const handler = app.getHttpAdapter().getInstance() as RequestListener;
  return NodesPort.open({ host, port, handler, keyring: app.get(KeyringService), log });
}

/** As `Promise.all`, but waits for all of them when one fails, so that nothing begins after the failure was handled. */
async function allOf<T extends readonly unknown[]>(works: T): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(works);
  return Promise.all(works);
}

/** A connection that becomes idle after a server was told to close would keep it open until its keep-alive time is up. */
function closeConnections(server: Pick<Server, 'closeIdleConnections' | 'closeAllConnections'>): () => void {
  const idle = setInterval(() => server.closeIdleConnections(), LOOK_MS);
  const all = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  return () => {
    clearInterval(idle);
    clearTimeout(all);
  };
}
