import { Injectable } from '@nestjs/common';
import { VersionArtifact } from '#contract/artifact.js';
import type { Engines } from '#contract/assignment.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';

interface BuiltRow {
  digest: string;
  app: unknown;
  builds: unknown;
}

@Injectable()
export class PreviewRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** A version whose bytes are there, as it is built for the first of the engines that it is built for; undefined: there is none. */
  async artifact(appId: string, number: number, engines: Engines): Promise<VersionArtifact | undefined> {
    const [row] = await this.prisma.$queryRaw<BuiltRow[]>`
      SELECT v.digest, v.locked_app AS app, b.builds FROM version v JOIN version_build b USING (app_id, number)
      WHERE v.app_id = ${appId}::uuid AND v.number = ${number} AND v.collected_at IS NULL AND b.builds IS NOT NULL AND b.engine = ANY(${engines}::text[])
      ORDER BY array_position(${engines}::text[], b.engine) LIMIT 1`;
    return row && VersionArtifact.parse({ version: number, ...row });
  }
}
