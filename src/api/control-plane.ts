import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Module, type ModuleMetadata } from '@nestjs/common';
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

const MIGRATIONS = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

export interface ControlPlaneOptions {
  config: ControlConfig;
  log: Log;
  /** A module that exports contract/registry's `Registry`. */
  registry: NonNullable<ModuleMetadata['imports']>[number];
}

export interface ControlPlane {
  port: number;
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
    close: async () => {
      lifetime.end();
      await app.close();
      await wakeups.stop();
    },
  };
}
