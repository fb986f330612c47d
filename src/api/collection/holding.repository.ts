import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { BuiltComponent } from '#contract/artifact.js';
import { LockedApp } from '#contract/bundle/locked-app.js';
import type { Holding } from '#contract/collection.js';
import { DEFAULT_ORG, type Digest } from '#contract/ids.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { blobsOf } from './blobs-of.js';

export interface VersionName {
  appId: string;
  number: number;
}

/** What is not counted as holding although it is there: versions that are to go, in a dry run, and builds for these engines. */
export interface Disregarded {
  versions: readonly VersionName[];
  engines: readonly string[];
}

interface NotedBlob {
  engine: string;
  digest: string;
  bytes: number | null;
}

/** Versions that are read at a time to note what they hold. */
const BATCH = 100;
const DEFAULT_ORG_ID = Prisma.sql`(SELECT id FROM org WHERE name = ${DEFAULT_ORG})`;
const Builds = z.record(z.string(), BuiltComponent.pick({ plan: true, modules: true }));

/** Which blobs versions hold, in rows. */
@Injectable()
export class HoldingRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Notes what a version that was just pushed holds; when its bytes were given up it has them again. */
  async note(db: Db, version: VersionName, app: LockedApp): Promise<void> {
    await this.insert(db, version, blobsOf(app).map((blob) => ({ engine: '', ...blob })));
    await db.version.update({ where: { appId_number: version }, data: { noted: true, collectedAt: null, usedAt: new Date() }, select: { number: true } });
  }

  /** Notes what was pushed or built elsewhere, by an older release or in the background. */
  async noteAll(): Promise<void> {
    while ((await this.noteVersions()) > 0);
    while ((await this.noteBuilds()) > 0);
  }

  /** Of these digests those that the organisation has: in versions, in repositories, or as files that were sent for uploads. */
  async held(digests: readonly Digest[]): Promise<Set<Digest>> {
    const rows = await this.prisma.$queryRaw<{ digest: Digest }[]>`
      SELECT d AS digest FROM unnest(${[...digests]}::text[]) d WHERE
        EXISTS (SELECT FROM version_blob b JOIN version v ON v.app_id = b.app_id AND v.number = b.number JOIN app a ON a.id = b.app_id
          WHERE b.digest = d AND b.engine = '' AND v.collected_at IS NULL AND a.org_id = ${DEFAULT_ORG_ID})
        OR EXISTS (SELECT FROM upload_file f JOIN upload u ON u.id = f.upload_id WHERE f.digest = d AND f.complete AND u.org_id = ${DEFAULT_ORG_ID} AND u.expires_at > now())
        OR EXISTS (SELECT FROM repository_blob b JOIN repository r ON r.id = b.repository_id WHERE b.digest = d AND r.org_id = ${DEFAULT_ORG_ID})`;
    return new Set(rows.map(({ digest }) => digest));
  }

  /** Of the blobs whose hex digits begin with the given ones, those that versions and files of uploads have to do with. */
  async holdings(prefix: string, { versions, engines }: Disregarded): Promise<Map<string, Holding>> {
    const from = `sha256:${prefix}`;
    const rows = await this.prisma.$queryRaw<{ digest: string; holding: Holding }[]>`
      SELECT digest, CASE WHEN bool_or(held) THEN 'held' WHEN bool_or(built) THEN 'build' ELSE 'version' END AS holding FROM (
        SELECT b.digest, v.collected_at IS NULL AND gone.number IS NULL AND NOT b.engine = ANY(${[...engines]}::text[]) AS held, b.engine <> '' AND v.collected_at IS NULL AND gone.number IS NULL AS built
        FROM version_blob b JOIN version v ON v.app_id = b.app_id AND v.number = b.number
        LEFT JOIN unnest(${versions.map(({ appId }) => appId)}::uuid[], ${versions.map(({ number }) => number)}::int[]) AS gone (app_id, number)
          ON gone.app_id = b.app_id AND gone.number = b.number
        WHERE b.digest >= ${from} AND b.digest < ${`${from}g`}
        UNION ALL
        SELECT f.digest, true, false FROM upload_file f JOIN upload u ON u.id = f.upload_id WHERE u.expires_at > now() AND f.digest >= ${from} AND f.digest < ${`${from}g`}) AS each
      GROUP BY digest`;
    return new Map(rows.map(({ digest, holding }) => [digest, holding]));
  }

  /** Engines that something is built for. */
  async engines(): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ engine: string }[]>`SELECT DISTINCT engine FROM version_build UNION SELECT DISTINCT engine FROM version_blob WHERE engine <> ''`;
    return rows.map(({ engine }) => engine);
  }

  async countBuilds(engines: readonly string[]): Promise<number> {
    return this.prisma.versionBuild.count({ where: { engine: { in: [...engines] } } });
  }

  /** Forgets what was built for these engines: before the bytes go, so that no node is told of them. */
  async removeBuilds(engines: readonly string[]): Promise<number> {
    return (await this.prisma.versionBuild.deleteMany({ where: { engine: { in: [...engines] } } })).count;
  }

  /** Forgets what versions held that are given up, and builds for these engines. */
  async forget(engines: readonly string[]): Promise<void> {
    await this.prisma.$executeRaw`
      DELETE FROM version_blob b USING version v WHERE v.app_id = b.app_id AND v.number = b.number AND (v.collected_at IS NOT NULL OR b.engine = ANY(${[...engines]}::text[]))`;
  }

  private async noteVersions(): Promise<number> {
    return this.prisma.transaction(async (db) => {
      const rows = await db.$queryRaw<(VersionName & { app: unknown })[]>`
        SELECT app_id AS "appId", number, locked_app AS app FROM version WHERE NOT noted AND collected_at IS NULL LIMIT ${BATCH} FOR NO KEY UPDATE`;
      for (const { app, ...version } of rows) {
        await this.insert(db, version, blobsOf(LockedApp.parse(app)).map((blob) => ({ engine: '', ...blob })));
        await db.$executeRaw`UPDATE version SET noted = true WHERE app_id = ${version.appId}::uuid AND number = ${version.number}`;
      }
      return rows.length;
    });
  }

  private async noteBuilds(): Promise<number> {
    return this.prisma.transaction(async (db) => {
      const rows = await db.$queryRaw<(VersionName & { engine: string; builds: unknown })[]>`
        SELECT app_id AS "appId", number, engine, builds FROM version_build WHERE NOT noted AND builds IS NOT NULL LIMIT ${BATCH} FOR NO KEY UPDATE`;
      for (const { builds, engine, ...version } of rows) {
        const digests = Object.values(Builds.parse(builds)).flatMap(({ plan, modules }) => [plan, ...modules]);
        await this.insert(db, version, digests.map((digest) => ({ engine, digest, bytes: null })));
        await db.$executeRaw`UPDATE version_build SET noted = true WHERE app_id = ${version.appId}::uuid AND number = ${version.number} AND engine = ${engine}`;
      }
      return rows.length;
    });
  }

  private async insert(db: Db, { appId, number }: VersionName, blobs: readonly NotedBlob[]): Promise<void> {
    const column = <K extends keyof NotedBlob>(key: K): NotedBlob[K][] => blobs.map((blob) => blob[key]);
    const columns = Prisma.sql`unnest(${column('engine')}::text[], ${column('digest')}::text[], ${column('bytes')}::bigint[])`;
    await db.$executeRaw`
      INSERT INTO version_blob (app_id, number, engine, digest, bytes) SELECT ${appId}::uuid, ${number}::int, b.* FROM ${columns} AS b ON CONFLICT DO NOTHING`;
  }
}
