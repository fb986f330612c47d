import { Injectable } from '@nestjs/common';
import { VersionArtifact } from '#contract/artifact.js';
import type { Engines } from '#contract/assignment.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { PreviewAccess } from './preview.schema.js';

interface BuiltRow {
  digest: string;
  app: unknown;
  builds: unknown;
}

@Injectable()
export class PreviewRepository {
  constructor(private readonly prisma: PrismaService) {}

  async access(appId: string): Promise<PreviewAccess> {
    const { previews } = await this.prisma.app.findUniqueOrThrow({ where: { id: appId }, select: { previews: true } });
    return PreviewAccess.parse(previews);
  }

  async setAccess(db: Db, appId: string, previews: PreviewAccess): Promise<void> {
    await db.app.update({ where: { id: appId }, data: { previews }, select: { id: true } });
  }

  /** A version of an app with open previews whose bytes are there, as it is built for the first of the engines that it is built for; undefined: there is none. */
  async artifact(appId: string, number: number, engines: Engines): Promise<VersionArtifact | undefined> {
    const [row] = await this.prisma.$queryRaw<BuiltRow[]>`
      SELECT v.digest, v.locked_app AS app, b.builds FROM version v JOIN version_build b USING (app_id, number) JOIN app a ON a.id = v.app_id AND a.previews = 'open'
      WHERE v.app_id = ${appId}::uuid AND v.number = ${number} AND v.collected_at IS NULL AND b.builds IS NOT NULL AND b.engine = ANY(${engines}::text[])
      ORDER BY array_position(${engines}::text[], b.engine) LIMIT 1`;
    return row && VersionArtifact.parse({ version: number, ...row });
  }
}
