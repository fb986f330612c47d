import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { VersionArtifact } from '#contract/artifact.js';
import { TrafficShare } from '#contract/assignment.js';
import { Shadow } from '#contract/shadow.js';
import { PrismaService } from '#platform/prisma/prisma.service.js';

export interface ChannelState {
  id: string;
  appId: string;
  org: string;
  app: string;
  channel: string;
  generation: number;
  serve: TrafficShare[];
  keyHeader: string | null;
  shadow: Shadow | null;
  previousVersion: number | null;
  candidates: number[];
  variablesRevision: number;
}

/** Names what was built of a version for one engine. */
export interface VersionKey {
  appId: string;
  number: number;
  engine: string;
}

export interface BuiltVersion extends VersionKey {
  artifact: VersionArtifact;
}

interface ArtifactRow extends VersionKey {
  digest: string;
  app: unknown;
  builds: unknown;
}

const Rows = z.array(
  z.object({
    id: z.string(),
    appId: z.string(),
    org: z.string(),
    app: z.string(),
    channel: z.string(),
    generation: z.int(),
    serve: z.array(TrafficShare),
    keyHeader: z.string().nullable(),
    shadow: Shadow.nullable(),
    previousVersion: z.int().nullable(),
    candidates: z.array(z.int()),
    variablesRevision: z.int(),
  }),
);

@Injectable()
export class SchedulerRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Those of these channels that are not gone. */
  async channels(ids: readonly string[]): Promise<ChannelState[]> {
    return Rows.parse(
      await this.prisma.$queryRaw`
        SELECT c.id, a.id AS "appId", o.name AS org, a.name AS app, c.name AS channel, c.generation, c.serve, c.key_header AS "keyHeader", c.shadow, c.previous_version AS "previousVersion",
          a.variables_revision AS "variablesRevision",
          ARRAY(SELECT r.version FROM rollout r WHERE r.channel_id = c.id AND r.ended_at IS NULL AND r.phase <> 'awaiting-approval' ORDER BY r.version) AS candidates
        FROM channel c JOIN app a ON a.id = c.app_id JOIN org o ON o.id = a.org_id
        WHERE c.id = ANY(${ids}::uuid[]) AND a.deleted_at IS NULL AND c.deleted_at IS NULL`,
    );
  }

  /** Those that are built for the engine. */
  async artifacts(keys: VersionKey[]): Promise<BuiltVersion[]> {
    const columns = [keys.map(({ appId }) => appId), keys.map(({ number }) => number), keys.map(({ engine }) => engine)] as const;
    const rows = await this.prisma.$queryRaw<ArtifactRow[]>`
      SELECT v.app_id AS "appId", v.number, b.engine, v.digest, v.locked_app AS app, b.builds
      FROM unnest(${columns[0]}::uuid[], ${columns[1]}::int[], ${columns[2]}::text[]) AS k (app_id, number, engine)
      JOIN version_build b USING (app_id, number, engine) JOIN version v USING (app_id, number)
      WHERE b.builds IS NOT NULL`;
    return rows.map(({ appId, number, engine, ...rest }) => ({ appId, number, engine, artifact: VersionArtifact.parse({ version: number, ...rest }) }));
  }
}
