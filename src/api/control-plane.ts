import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Module, type ModuleMetadata, type Type } from '@nestjs/common';
import type { ControlConfig } from '#platform/config.js';
import { createHttpApp } from '#platform/http/http-app.js';
import { Lifetime } from '#platform/lifetime.js';
import type { Log } from '#platform/log.js';
import { PlatformModule } from '#platform/platform.module.js';
import { migrate } from '#platform/prisma/migrator.js';
import { VERSION } from '#platform/version.js';
import { Wakeups } from '#platform/wakeups.js';
import { ApiModule } from './api.module.js';
import { AuthService } from './auth/auth.service.js';

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
  /** One of its services, for whoever runs it in the same process. */
  get<T>(service: Type<T>): T;
  /** Lets what is under way come to its end, and lets go of everything. */
  close(): Promise<void>;
}

/** The control plane in one piece: migrates the database, registers the configured tokens, listens. */
export async function startControlPlane({ config, log, registry }: ControlPlaneOptions): Promise<ControlPlane> {
  const lifetime = new Lifetime();
  const wakeups = new Wakeups(config.DATABASE_URL, log, lifetime.signal);

  @Module({ imports: [PlatformModule.with({ config, log, wakeups, lifetime }), ApiModule.with(registry)] })
  class ControlPlaneModule {}

  const [applied, app] = await Promise.all([
    migrate(config.DATABASE_URL, MIGRATIONS),
    createHttpApp(ControlPlaneModule, { log, version: VERSION, lifetime }),
    wakeups.start(),
  ]);
  if (applied.length > 0) log.info('migrated the database', { applied });
  await app.get(AuthService).registerConfigured();
  await app.init();
  const server = app.getHttpServer() as Server;
  server.listen(config.WHORL_API_PORT, config.WHORL_LISTEN);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get: (service) => app.get(service),
    close: async () => {
      lifetime.end();
      const stopClosing = closeConnections(server);
      try {
        await app.close();
      } finally {
        stopClosing();
        await wakeups.stop();
      }
    },
  };
}

/** A connection that becomes idle after a server was told to close would keep it open until its keep-alive time is up. */
function closeConnections(server: Server): () => void {
  const idle = setInterval(() => server.closeIdleConnections(), LOOK_MS);
  const all = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  return () => {
    clearInterval(idle);
    clearTimeout(all);
  };
}
