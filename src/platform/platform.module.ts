import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { ControlConfig } from './config.js';
import { Lifetime } from './lifetime.js';
import { Log } from './log.js';
import { PrismaService } from './prisma/prisma.service.js';
import { Wakeups } from './wakeups.js';

/** Injection token of the control plane's configuration. */
export const CONTROL_CONFIG = Symbol('ControlConfig');

export interface PlatformOptions {
  config: ControlConfig;
  log: Log;
  wakeups: Wakeups;
  lifetime: Lifetime;
}

/** What every stage of the control plane is given. */
@Global()
@Module({})
export class PlatformModule {
  static with({ config, log, wakeups, lifetime }: PlatformOptions): DynamicModule {
    return {
      module: PlatformModule,
      providers: [
        { provide: CONTROL_CONFIG, useValue: config },
        { provide: Log, useValue: log },
        { provide: Wakeups, useValue: wakeups },
        { provide: Lifetime, useValue: lifetime },
        { provide: PrismaService, useFactory: () => new PrismaService(config.DATABASE_URL) },
      ],
      exports: [CONTROL_CONFIG, Log, Wakeups, Lifetime, PrismaService],
    };
  }
}
