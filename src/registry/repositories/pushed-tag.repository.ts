import { Injectable } from '@nestjs/common';
import { DEFAULT_ORG } from '#contract/ids.js';
import type { PushedTag } from '#contract/registry.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';

/** Which tags were pushed when, over all repositories: what is deployed on push begins here. */
@Injectable()
export class PushedTagRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Of one app, or of all: apps are of the default organisation. The oldest first. */
  pushedSince(since: Date, app?: string): Promise<PushedTag[]> {
    return this.prisma.$queryRaw<PushedTag[]>`
      SELECT r.name AS app, t.name AS tag, t.manifest_digest AS digest, t.updated_at AS "pushedAt", t.pushed_by AS "pushedBy"
      FROM repository_tag t JOIN repository r ON r.id = t.repository_id JOIN org o ON o.id = r.org_id
      WHERE o.name = ${DEFAULT_ORG} AND t.updated_at > ${since} AND (${app ?? null}::text IS NULL OR r.name = ${app ?? null})
      ORDER BY t.updated_at, t.name`;
  }
}
