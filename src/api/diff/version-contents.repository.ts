import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ComponentBuild } from '#contract/artifact.js';
import { LockedApp } from '#contract/bundle/locked-app.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { VersionContents } from './capabilities.js';

const Builds = z.record(z.string(), ComponentBuild);

@Injectable()
export class VersionContentsRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** undefined: there is no such version. */
  async find(appId: string, number: number, db: Db = this.prisma): Promise<VersionContents | undefined> {
    const [row] = await db.$queryRaw<{ manifest: string; app: unknown; builds: unknown }[]>`
      SELECT v.manifest, v.locked_app AS app, b.builds FROM version v
      LEFT JOIN LATERAL (
        SELECT builds FROM version_build WHERE app_id = v.app_id AND number = v.number AND builds IS NOT NULL ORDER BY length(engine) DESC, engine DESC LIMIT 1
      ) b ON true
      WHERE v.app_id = ${appId}::uuid AND v.number = ${number}`;
    return row && { number, manifest: row.manifest, app: LockedApp.parse(row.app), builds: Builds.parse(row.builds ?? {}) };
  }
}
