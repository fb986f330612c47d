import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ComponentBuild } from '#contract/artifact.js';
import { LockedApp } from '#contract/bundle/locked-app.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, notify, PrismaService } from '#platform/prisma/prisma.service.js';
import { ASSIGNMENTS_TOPIC } from '../topics.js';

/** Of the advisory lock under which what is to be built next is chosen. */
const CLAIM_LOCK_KEY = 72707371;

/** Names what is built of a version for one engine. */
export interface VersionBuildKey {
  appId: string;
  number: number;
  engine: string;
}

export interface BuildFailure {
  code: string;
  message: string;
}

/** What there is of a version for one engine: builds, or why not, or neither while it is being built. */
export interface VersionBuildRecord {
  engine: string;
  builds: Record<string, ComponentBuild> | null;
  failure: BuildFailure | null;
}

/** A version that is to be built now, by whoever claimed it. */
export interface ClaimedBuild extends VersionBuildKey {
  appName: string;
  app: LockedApp;
}

/** Conditions on a version `v`: some channel serves it; some channel keeps it for a rollback, or rolls it out. */
const IS_SERVED = Prisma.sql`EXISTS (SELECT FROM channel c, jsonb_array_elements(c.serve) s WHERE c.app_id = v.app_id AND (s->>'version')::int = v.number)`;
const IS_KEPT = Prisma.sql`EXISTS (
  SELECT FROM channel c LEFT JOIN rollout r ON r.channel_id = c.id AND r.ended_at IS NULL
  WHERE c.app_id = v.app_id AND v.number IN (c.previous_version, r.version))`;

const Builds = z.record(z.string(), ComponentBuild);

@Injectable()
export class VersionBuildRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Of one version, the newest engine first. */
  async list(appId: string, number: number, db: Db = this.prisma): Promise<VersionBuildRecord[]> {
    const rows = await db.versionBuild.findMany({ where: { appId, number }, select: { engine: true, builds: true, failure: true } });
    return rows
      .map(({ engine, builds, failure }) => ({ engine, builds: builds === null ? null : Builds.parse(builds), failure: failure as BuildFailure | null }))
      .sort((a, b) => Number(b.engine) - Number(a.engine));
  }

  /** Keeps what was built; the first one stays. True when nodes wait for it: `announce` tells them. */
  async put({ appId, number, engine }: VersionBuildKey, builds: Record<string, ComponentBuild>, db: Db = this.prisma): Promise<boolean> {
    const text = JSON.stringify(builds);
    const put = await db.$executeRaw`
      INSERT INTO version_build (app_id, number, engine, builds) VALUES (${appId}::uuid, ${number}, ${engine}, ${text}::json)
      ON CONFLICT (app_id, number, engine) DO UPDATE SET builds = EXCLUDED.builds, failure = NULL, retry_at = NULL WHERE version_build.builds IS NULL`;
    if (put === 0) return false;
    const [held] = await db.$queryRaw<unknown[]>`SELECT FROM version v WHERE v.app_id = ${appId}::uuid AND v.number = ${number} AND (${IS_SERVED} OR ${IS_KEPT})`;
    return held !== undefined;
  }

  /** Tells the nodes that there is something new for them. */
  async announce(db: Db = this.prisma): Promise<void> {
    await notify(db, ASSIGNMENTS_TOPIC);
  }

  /** Notes why it cannot be built; after `retryMs` it is tried again, null: when a control plane starts. */
  async fail({ appId, number, engine }: VersionBuildKey, failure: BuildFailure, retryMs: number | null): Promise<void> {
    await this.prisma.$executeRaw`
      UPDATE version_build SET failure = ${JSON.stringify(failure)}::jsonb, retry_at = now() + ${retryMs}::float8 * interval '1 millisecond'
      WHERE app_id = ${appId}::uuid AND number = ${number} AND engine = ${engine} AND builds IS NULL`;
  }

  /** Keeps claims for so much longer; 0 gives them back. What was built or has failed since stays so. */
  async renew(claims: readonly VersionBuildKey[], leaseMs: number): Promise<void> {
    const columns = [claims.map(({ appId }) => appId), claims.map(({ number }) => number), claims.map(({ engine }) => engine)] as const;
    await this.prisma.$executeRaw`
      UPDATE version_build b SET retry_at = now() + ${leaseMs} * interval '1 millisecond'
      FROM unnest(${columns[0]}::uuid[], ${columns[1]}::int[], ${columns[2]}::text[]) AS k (app_id, number, engine)
      WHERE b.app_id = k.app_id AND b.number = k.number AND b.engine = k.engine AND b.builds IS NULL`;
  }

  /** Lets what could not be built be tried again: the operator may have raised a limit since. */
  async forgive(engine: string): Promise<void> {
    await this.prisma.$executeRaw`UPDATE version_build SET retry_at = now() WHERE engine = ${engine} AND builds IS NULL AND retry_at IS NULL`;
  }

  /**
   * The next versions that have no build for the engine, for the caller alone until the lease is over: those that are served first, then
   * those that nodes hold, then the others, newest first. Empty: there are none to be had now.
   */
  async claim(engine: string, count: number, leaseMs: number): Promise<ClaimedBuild[]> {
    return this.prisma.transaction(async (db) => {
      await db.$executeRaw`SELECT pg_advisory_xact_lock(${CLAIM_LOCK_KEY})`;
      const rows = await db.$queryRaw<(Omit<ClaimedBuild, 'app'> & { app: unknown })[]>`
        WITH next AS (
          SELECT v.app_id, v.number, row_number() OVER (ORDER BY ${IS_SERVED} DESC, ${IS_KEPT} DESC, v.created_at DESC) AS turn FROM version v
          JOIN app a ON a.id = v.app_id AND a.deleted_at IS NULL
          LEFT JOIN version_build b ON b.app_id = v.app_id AND b.number = v.number AND b.engine = ${engine}
          WHERE v.collected_at IS NULL AND (b.engine IS NULL OR (b.builds IS NULL AND b.retry_at <= now()))
          ORDER BY turn LIMIT ${count}
        ), claimed AS (
          INSERT INTO version_build (app_id, number, engine, retry_at)
          SELECT app_id, number, ${engine}, now() + ${leaseMs} * interval '1 millisecond' FROM next
          ON CONFLICT (app_id, number, engine) DO UPDATE SET retry_at = EXCLUDED.retry_at
          RETURNING app_id, number, engine
        )
        SELECT c.app_id AS "appId", c.number, c.engine, a.name AS "appName", v.locked_app AS app
        FROM claimed c JOIN next USING (app_id, number) JOIN version v USING (app_id, number) JOIN app a ON a.id = c.app_id ORDER BY next.turn`;
      return rows.map((row) => ({ ...row, app: LockedApp.parse(row.app) }));
    });
  }
}
