import { Injectable } from '@nestjs/common';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { VersionName } from './holding.repository.js';

/** The platform's policy; an app may have another number of versions and days. */
export interface KeepPolicy {
  versions: number;
  days: number;
  /** Versions of a deleted app are kept so long. */
  graceMs: number;
}

/** What a node said longer ago does not count: it takes what it is told when it is back. */
const NODE_HEARD_DAYS = 7;

const HEARD = Prisma.sql`last_seen > now() - ${NODE_HEARD_DAYS} * interval '1 day'`;

/** Which versions are kept. */
@Injectable()
export class VersionPolicyRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Versions that may be given up, of one app or of all: not pinned, not among the last good ones, neither pushed nor served lately, and
   * not served, kept for a rollback, rolled out or held by a node. Of deleted apps all that no node holds.
   */
  async expired({ versions, days, graceMs }: KeepPolicy, appId: string | null = null, db: Db = this.prisma): Promise<VersionName[]> {
    return db.$queryRaw<VersionName[]>`
      WITH good AS (
        SELECT app_id, number, row_number() OVER (PARTITION BY app_id ORDER BY number DESC) AS place FROM version WHERE collected_at IS NULL AND failure IS NULL
      ), served AS (
        SELECT c.app_id, (s->>'version')::int AS number, max(d.until) AS until FROM (
          SELECT channel_id, serve, coalesce(lead(at) OVER (PARTITION BY channel_id ORDER BY generation), now()) AS until FROM deployment) d
        JOIN channel c ON c.id = d.channel_id CROSS JOIN LATERAL jsonb_array_elements(d.serve) s GROUP BY 1, 2
      ), reported AS (
        SELECT DISTINCT s->>'app' AS app, p::int AS number FROM node n CROSS JOIN LATERAL jsonb_array_elements(n.report->'statuses') s
        CROSS JOIN LATERAL jsonb_array_elements_text(s->'prepared') p WHERE ${HEARD}
      )
      SELECT v.app_id AS "appId", v.number FROM version v JOIN app a ON a.id = v.app_id
      LEFT JOIN good g ON g.app_id = v.app_id AND g.number = v.number
      LEFT JOIN served s ON s.app_id = v.app_id AND s.number = v.number
      LEFT JOIN reported r ON r.app = a.name AND r.number = v.number
      WHERE v.collected_at IS NULL AND v.pinned_at IS NULL AND (${appId}::uuid IS NULL OR v.app_id = ${appId}::uuid) AND CASE
        WHEN a.deleted_at IS NULL THEN r.number IS NULL
          AND coalesce(g.place > coalesce(a.keep_versions, ${versions}::int), true)
          AND greatest(v.used_at, s.until) < now() - coalesce(a.keep_days, ${days}::int) * interval '1 day'
          AND NOT EXISTS (SELECT FROM channel c WHERE c.app_id = v.app_id AND c.deleted_at IS NULL AND (c.previous_version = v.number
            OR EXISTS (SELECT FROM jsonb_array_elements(c.serve) e WHERE (e->>'version')::int = v.number)
            OR EXISTS (SELECT FROM rollout o WHERE o.channel_id = c.id AND o.ended_at IS NULL AND o.version = v.number)))
        ELSE a.deleted_at < now() - ${graceMs}::float8 * interval '1 millisecond'
          AND (r.number IS NULL OR EXISTS (SELECT FROM app b WHERE b.org_id = a.org_id AND b.name = a.name AND b.deleted_at IS NULL))
        END
      ORDER BY v.app_id, v.number`;
  }

  /** Gives up the versions of one app that may be; nobody begins to roll one of them out meanwhile. */
  async giveUp(appId: string, policy: KeepPolicy): Promise<VersionName[]> {
    return this.prisma.transaction(async (db) => {
      await db.$queryRaw`SELECT 1 FROM app WHERE id = ${appId}::uuid FOR NO KEY UPDATE`;
      const expired = await this.expired(policy, appId, db);
      const numbers = expired.map(({ number }) => number);
      await db.version.updateMany({ where: { appId, number: { in: numbers } }, data: { collectedAt: new Date() } });
      await db.versionBuild.deleteMany({ where: { appId, number: { in: numbers } } });
      return expired;
    });
  }

  /** Digests of images that versions were made of, but these. */
  async images(except: readonly VersionName[]): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ digest: string }[]>`
      SELECT DISTINCT v.image_digest AS digest FROM version v
      LEFT JOIN unnest(${except.map(({ appId }) => appId)}::uuid[], ${except.map(({ number }) => number)}::int[]) AS gone (app_id, number)
        ON gone.app_id = v.app_id AND gone.number = v.number
      WHERE v.image_digest IS NOT NULL AND v.collected_at IS NULL AND gone.number IS NULL`;
    return rows.map(({ digest }) => digest);
  }

  /** What the nodes can run that were heard of lately, those that do not say included. */
  async nodeEngines(unsaid: readonly string[]): Promise<string[]> {
    const rows = await this.prisma.$queryRaw<{ engines: string[] | null }[]>`SELECT DISTINCT report->'engines' AS engines FROM node WHERE ${HEARD}`;
    return [...new Set(rows.flatMap(({ engines }) => engines ?? unsaid))];
  }

  /** Keeps a version whatever the policy says, or no longer; false when there is none. The app is locked. */
  async pin(db: Db, version: VersionName, pinned: boolean): Promise<boolean> {
    const set = await db.$executeRaw`
      UPDATE version SET pinned_at = CASE WHEN ${pinned} THEN coalesce(pinned_at, now()) END WHERE app_id = ${version.appId}::uuid AND number = ${version.number}`;
    return set > 0;
  }

  async isCollected(db: Db, version: VersionName): Promise<boolean> {
    const found = await db.version.findUnique({ where: { appId_number: version }, select: { collectedAt: true } });
    return found !== null && found.collectedAt !== null;
  }

  async findKeep(appId: string): Promise<{ versions: number | null; days: number | null }> {
    const { keepVersions, keepDays } = await this.prisma.app.findUniqueOrThrow({ where: { id: appId }, select: { keepVersions: true, keepDays: true } });
    return { versions: keepVersions, days: keepDays };
  }

  async putKeep(db: Db, appId: string, { versions, days }: { versions: number | null; days: number | null }): Promise<void> {
    await db.app.update({ where: { id: appId }, data: { keepVersions: versions, keepDays: days }, select: { id: true } });
  }
}
