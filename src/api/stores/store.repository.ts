import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DEFAULT_ORG } from '#contract/ids.js';
import type { StoreKind } from '#contract/store-file.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';

export interface StoreRecord {
  id: string;
  name: string;
  kind: StoreKind;
  type: string;
  /** Sealed; null for the type `spin`. */
  settings: string | null;
  /** Of the type `spin` alone. */
  file: string | null;
  /** The app whose label `default` leads here without a link. */
  app: string | null;
  createdAt: Date;
}

/** A label of an app; an empty channel: in every one that has no link of its own. */
export interface LinkRecord {
  appId: string;
  app: string;
  channel: string;
  kind: StoreKind;
  label: string;
}

export type NewStore = Omit<StoreRecord, 'createdAt'>;

const ORG_ID = Prisma.sql`(SELECT id FROM org WHERE name = ${DEFAULT_ORG})`;
const COLUMNS = Prisma.sql`s.id, s.name, s.kind, s.type, s.settings, s.file, s.app, s.created_at AS "createdAt"`;
const LIVE = Prisma.sql`s.org_id = ${ORG_ID} AND s.deleted_at IS NULL`;

@Injectable()
export class StoreRepository {
  constructor(private readonly prisma: PrismaService) {}

  async find(name: string, db: Db = this.prisma): Promise<StoreRecord | undefined> {
    const [row] = await db.$queryRaw<StoreRecord[]>`SELECT ${COLUMNS} FROM store s WHERE ${LIVE} AND s.name = ${name}`;
    return row;
  }

  /** As `find`; it is neither linked nor deleted by anybody else before the transaction ends. */
  async lock(db: Db, name: string): Promise<StoreRecord | undefined> {
    const [row] = await db.$queryRaw<StoreRecord[]>`SELECT ${COLUMNS} FROM store s WHERE ${LIVE} AND s.name = ${name} FOR NO KEY UPDATE`;
    return row;
  }

  list(after: string, limit: number): Promise<StoreRecord[]> {
    return this.prisma.$queryRaw<StoreRecord[]>`SELECT ${COLUMNS} FROM store s WHERE ${LIVE} AND s.name > ${after} ORDER BY s.name LIMIT ${limit}`;
  }

  /** False when the name is taken. */
  async create(db: Db, { id, name, kind, type, settings, file, app }: NewStore): Promise<boolean> {
    const made = await db.$executeRaw`
      INSERT INTO store (id, org_id, name, kind, type, settings, file, app)
      SELECT ${id}::uuid, ${ORG_ID}, ${name}, ${kind}, ${type}, ${settings}, ${file}, ${app}
      ON CONFLICT (org_id, name) WHERE deleted_at IS NULL DO NOTHING`;
    return made > 0;
  }

  async changeSettings(db: Db, id: string, type: string, settings: string): Promise<void> {
    await db.store.update({ where: { id }, data: { type, settings } });
  }

  /** Makes the store of an app's label `default` unless it is there. Answers its file when it is new. */
  async createDefault(db: Db, app: string, kind: StoreKind, files: { first: string; later: string }): Promise<string | undefined> {
    const name = defaultStoreName(app, kind);
    const earlier = await db.$queryRaw<unknown[]>`SELECT 1 FROM store s WHERE s.org_id = ${ORG_ID} AND s.name = ${name} AND s.deleted_at IS NOT NULL LIMIT 1`;
    // The file of a store that was deleted may still lie on a node that was away.
    const file = earlier.length > 0 ? files.later : files.first;
    return (await this.create(db, { id: randomUUID(), name, kind, type: 'spin', settings: null, file, app })) ? file : undefined;
  }

  async remove(db: Db, id: string): Promise<void> {
    await db.$executeRaw`DELETE FROM store_link WHERE store_id = ${id}::uuid`;
    await db.$executeRaw`UPDATE store SET deleted_at = now(), settings = NULL WHERE id = ${id}::uuid`;
  }

  /** Links of apps that are there, by app. */
  async linksOf(storeIds: string[], db: Db = this.prisma): Promise<(LinkRecord & { storeId: string })[]> {
    return db.$queryRaw<(LinkRecord & { storeId: string })[]>`
      SELECT l.store_id AS "storeId", l.app_id AS "appId", a.name AS app, l.channel, l.kind, l.label
      FROM store_link l JOIN app a ON a.id = l.app_id
      WHERE l.store_id = ANY(${storeIds}::uuid[]) AND a.deleted_at IS NULL ORDER BY a.name, l.channel, l.label`;
  }

  /** What the apps' labels are linked to. */
  linked(appIds: string[], db: Db = this.prisma): Promise<(StoreRecord & Omit<LinkRecord, 'app'>)[]> {
    return db.$queryRaw`
      SELECT l.app_id AS "appId", l.channel, l.label, ${COLUMNS} FROM store_link l JOIN store s ON s.id = l.store_id WHERE l.app_id = ANY(${appIds}::uuid[])`;
  }

  /** The stores behind the labels `default` of these apps that have no link. */
  defaults(apps: string[], db: Db = this.prisma): Promise<StoreRecord[]> {
    return db.$queryRaw<StoreRecord[]>`SELECT ${COLUMNS} FROM store s WHERE ${LIVE} AND s.app = ANY(${apps})`;
  }

  /** Puts a link in the place of the one that the label had. */
  async link(db: Db, storeId: string, { appId, channel, kind, label }: Omit<LinkRecord, 'app'>): Promise<void> {
    await db.$executeRaw`
      INSERT INTO store_link (app_id, channel, kind, label, store_id) VALUES (${appId}::uuid, ${channel}, ${kind}, ${label}, ${storeId}::uuid)
      ON CONFLICT (app_id, channel, kind, label) DO UPDATE SET store_id = EXCLUDED.store_id`;
  }

  /** False when there is no such link. */
  async unlink(db: Db, storeId: string, { appId, channel, kind, label }: Omit<LinkRecord, 'app'>): Promise<boolean> {
    const { count } = await db.storeLink.deleteMany({ where: { storeId, appId, channel, kind, label } });
    return count > 0;
  }

  /** Of the kinds that have a label `default` in one of the versions. */
  async defaultKinds(db: Db, appId: string, versions: number[]): Promise<StoreKind[]> {
    const rows = await db.$queryRaw<{ kind: StoreKind }[]>`
      SELECT DISTINCT k.kind FROM version v
      CROSS JOIN LATERAL json_array_elements(v.locked_app->'components') c
      CROSS JOIN LATERAL (VALUES ('key-value', c->'keyValueStores'), ('sqlite', c->'sqliteDatabases')) k (kind, labels)
      CROSS JOIN LATERAL json_array_elements_text(k.labels) l
      WHERE v.app_id = ${appId}::uuid AND v.number = ANY(${versions}::int[]) AND l = 'default'`;
    return rows.map(({ kind }) => kind);
  }
}

/** Names of other stores have no dot. */
export const defaultStoreName = (app: string, kind: StoreKind): string => `${app}.${kind}`;
