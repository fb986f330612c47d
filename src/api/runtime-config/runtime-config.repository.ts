import { Injectable } from '@nestjs/common';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { ConfigPlace } from './config-place.js';

export interface SealedLayer {
  place: ConfigPlace;
  config: string;
  revision: number;
  updatedAt: Date;
}

/** What a component of a version names. */
export interface ComponentLabels {
  component: string;
  keyValueStores: string[];
  sqliteDatabases: string[];
}

/** Under this advisory lock the layers of all apps are changed. */
const LAYERS_LOCK = 7271;

@Injectable()
export class RuntimeConfigRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** The layers of all apps, and those of these. */
  async list(appIds: string[], db: Db = this.prisma): Promise<SealedLayer[]> {
    const rows = await db.runtimeConfig.findMany({ where: { OR: [{ appId: null }, { appId: { in: appIds } }] } });
    return rows.map((row) => ({ ...row, place: row.place as ConfigPlace }));
  }

  async find(place: ConfigPlace, db: Db = this.prisma): Promise<SealedLayer | undefined> {
    const row = await db.runtimeConfig.findUnique({ where: { place } });
    return row ? { ...row, place } : undefined;
  }

  async put(db: Db, place: ConfigPlace, config: string, appId?: string): Promise<void> {
    const data = { config, updatedAt: new Date() };
    await db.runtimeConfig.upsert({ where: { place }, create: { place, appId: appId ?? null, ...data }, update: { ...data, revision: { increment: 1 } } });
  }

  async remove(db: Db, place: ConfigPlace): Promise<void> {
    await db.runtimeConfig.deleteMany({ where: { place } });
  }

  /** Nobody else changes what is for all apps before the transaction ends. */
  async lockShared(db: Db): Promise<void> {
    await db.$queryRaw`SELECT 1 FROM pg_advisory_xact_lock(${LAYERS_LOCK})`;
  }

  /** The labels that a version's components name. */
  labelsOf(db: Db, appId: string, version: number): Promise<ComponentLabels[]> {
    return db.$queryRaw<ComponentLabels[]>`
      SELECT c->>'id' AS component, c->'keyValueStores' AS "keyValueStores", c->'sqliteDatabases' AS "sqliteDatabases"
      FROM version v, json_array_elements(v.locked_app->'components') c WHERE v.app_id = ${appId}::uuid AND v.number = ${version}`;
  }
}
