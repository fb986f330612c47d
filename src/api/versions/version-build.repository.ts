import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ComponentBuild } from '#contract/artifact.js';
import { LockedApp } from '#contract/bundle/locked-app.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, notify, PrismaService } from '#platform/prisma/prisma.service.js';
import { appTopic, ASSIGNMENTS_TOPIC } from '../topics.js';

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

  /** As `put`, by itself. */
  async store(key: VersionBuildKey, builds: Record<string, ComponentBuild>): Promise<void> {
    await this.prisma.transaction((db) => this.put(db, key, builds));
  }

  /** Keeps what was built; the first one stays. Those that wait for it are told: nodes that hold the version, and rollouts. */
  async put(db: Db, { appId, number, engine }: VersionBuildKey, builds: Record<string, ComponentBuild>): Promise<void> {
    const text = JSON.stringify(builds);
    const put = await db.$executeRaw`
      INSERT INTO version_build (app_id, number, engine, builds) VALUES (${appId}::uuid, ${number}, ${engine}, ${text}::json)
      ON CONFLICT (app_id, number, engine) DO UPDATE SET builds = EXCLUDED.builds, failure = NULL, retry_at = NULL WHERE version_build.builds IS NULL`;
    if (put === 0) return;
    const [held] = await db.$queryRaw<unknown[]>`SELECT FROM version v WHERE v.app_id = ${appId}::uuid AND v.number = ${number} AND (${IS_SERVED} OR ${IS_KEPT})`;
    if (held) await notify(db, ASSIGNMENTS_TOPIC, appTopic(appId));
  }

  /** Notes why it cannot be built; after `retryMs` it is tried again, null: when a control plane starts. */
  async fail({ appId, number, engine }: VersionBuildKey, failure: BuildFailure, retryMs: number | null): Promise<void> {
    await this.prisma.$executeRaw`
      UPDATE version_build SET failure = ${JSON.stringify(failure)}::jsonb, retry_at = now() + ${retryMs}::float8 * interval '1 millisecond'
      WHERE app_id = ${appId}::uuid AND number = ${number} AND engine = ${engine} AND builds IS NULL`;
  }

  /** Keeps a claim for so much longer; 0 gives it back. */
  async renew({ appId, number, engine }: VersionBuildKey, leaseMs: number): Promise<void> {
    await this.prisma.$executeRaw`
      UPDATE version_build SET retry_at = now() + ${leaseMs} * interval '1 millisecond'
      WHERE app_id = ${appId}::uuid AND number = ${number} AND engine = ${engine} AND builds IS NULL`;
  }

  /** Lets what could not be built be tried again: the operator may have raised a limit since. */
  async forgive(engine: string): Promise<void> {
    await this.prisma.$executeRaw`UPDATE version_build SET retry_at = now() WHERE engine = ${engine} AND builds IS NULL AND retry_at IS NULL`;
  }

  /**
   * The next version that has no build for the engine, for the caller alone until the lease is over: those that are served first, then
   * those that nodes hold, then the others, newest first. undefined: there is none to be had now.
   */
  async claim(engine: string, leaseMs: number): Promise<ClaimedBuild | undefined> {
    return this.prisma.transaction(async (db) => {
      await db.$executeRaw`SELECT pg_advisory_xact_lock(${CLAIM_LOCK_KEY})`;
      const [row] = await db.$queryRaw<(Omit<ClaimedBuild, 'app'> & { app: unknown })[]>`
        WITH next AS (
          SELECT v.app_id, v.number FROM version v
          JOIN app a ON a.id = v.app_id AND a.deleted_at IS NULL
          LEFT JOIN version_build b ON b.app_id = v.app_id AND b.number = v.number AND b.engine = ${engine}
          WHERE b.engine IS NULL OR (b.builds IS NULL AND b.retry_at <= now())
          ORDER BY ${IS_SERVED} DESC, ${IS_KEPT} DESC, v.created_at DESC
          LIMIT 1
        ), claimed AS (
          INSERT INTO version_build (app_id, number, engine, retry_at)
          SELECT app_id, number, ${engine}, now() + ${leaseMs} * interval '1 millisecond' FROM next
          ON CONFLICT (app_id, number, engine) DO UPDATE SET retry_at = EXCLUDED.retry_at
          RETURNING app_id, number, engine
        )
        SELECT c.app_id AS "appId", c.number, c.engine, a.name AS "appName", v.locked_app AS app
        FROM claimed c JOIN version v USING (app_id, number) JOIN app a ON a.id = c.app_id`;
      return row && { ...row, app: LockedApp.parse(row.app) };
    });
  }
}
