import { Injectable } from '@nestjs/common';
import { LockedApp } from '#contract/bundle/locked-app.js';
import { BlobDigest, Digest } from '#contract/ids.js';
import { ImageTrust } from '#contract/image-trust.js';
import type { IngestedBundle, IngestedImage } from '#contract/registry.js';
import { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { Source } from './source.js';
import { VersionBuildRepository } from './version-build.repository.js';

export interface VersionRecord {
  number: number;
  digest: Digest;
  bytes: number;
  image: { reference: string; digest: BlobDigest } | null;
  pushedBy: string;
  createdAt: Date;
  failure: { code: string; message: string } | null;
  rollingOut: boolean;
  awaitingApproval: boolean;
  /** Those that serve it. */
  channels: string[];
  pinned: boolean;
  collected: boolean;
  /** null: nobody said where it comes from. */
  source: Source | null;
}

export interface VersionDetails extends VersionRecord {
  manifest: string;
  app: LockedApp;
  /** null: of a bundle, or nobody looked. */
  trust: ImageTrust | null;
}

interface VersionRow {
  number: number;
  digest: string;
  bytes: bigint;
  image_reference: string | null;
  image_digest: string | null;
  pushed_by: string;
  created_at: Date;
  failure: { code: string; message: string } | null;
  rolling_out: boolean;
  awaiting_approval: boolean;
  channels: string[];
  pinned: boolean;
  collected: boolean;
  source: unknown;
}

interface DetailsRow extends VersionRow {
  manifest: string;
  locked_app: unknown;
  trust: unknown;
}

const SUMMARY = Prisma.sql`
  v.number, v.digest, v.bytes, v.image_reference, v.image_digest, v.pushed_by, v.created_at, v.failure, v.source,
  v.pinned_at IS NOT NULL AS pinned, v.collected_at IS NOT NULL AS collected,
  ARRAY(SELECT c.name FROM channel c, jsonb_array_elements(c.serve) s
    WHERE c.app_id = v.app_id AND c.deleted_at IS NULL AND (s->>'version')::int = v.number AND (s->>'percent')::numeric > 0 ORDER BY c.name) AS channels,
  EXISTS (SELECT 1 FROM rollout r JOIN channel c ON c.id = r.channel_id WHERE c.app_id = v.app_id AND r.version = v.number AND r.ended_at IS NULL) AS rolling_out,
  EXISTS (SELECT 1 FROM rollout r JOIN channel c ON c.id = r.channel_id WHERE c.app_id = v.app_id AND r.version = v.number AND r.phase = 'awaiting-approval' AND r.ended_at IS NULL) AS awaiting_approval`;

@Injectable()
export class VersionRepository {
  constructor(
    private readonly prisma: PrismaService,
    readonly builds: VersionBuildRepository,
  ) {}

  async findByDigest(db: Db, appId: string, digest: string): Promise<number | undefined> {
    return (await db.version.findUnique({ where: { appId_digest: { appId, digest } }, select: { number: true } }))?.number;
  }

  /** Stores the bundle as the next version of an app that is locked. Answers its number. */
  async create(db: Db, app: AppRecord, bundle: IngestedBundle | IngestedImage, pushedBy: string): Promise<number> {
    const number = app.lastVersion + 1;
    await db.app.update({ where: { id: app.id }, data: { lastVersion: number } });
    await db.version.create({
      data: {
        appId: app.id,
        number,
        digest: bundle.digest,
        bytes: bundle.bytes,
        manifest: bundle.manifest,
        lockedApp: bundle.app as unknown as Prisma.InputJsonValue,
        ...('image' in bundle && toImageData(bundle.image)),
        pushedBy,
        variablesRevision: app.variablesRevision,
        createdAt: new Date(),
      },
      select: { number: true },
    });
    return number;
  }

  /** Where a version was pushed from last. */
  async setSource(db: Db, appId: string, number: number, source: Source): Promise<void> {
    await db.version.update({ where: { appId_number: { appId, number } }, data: { source }, select: { number: true } });
  }

  /** Where versions come from that a channel serves, or is going to. */
  async sourcesOf(db: Db, channelId: string): Promise<{ number: number; source: Source }[]> {
    const rows = await db.$queryRaw<{ number: number; source: unknown }[]>`
      SELECT v.number, v.source FROM channel c JOIN version v ON v.app_id = c.app_id
      WHERE c.id = ${channelId}::uuid AND v.source IS NOT NULL AND (
        EXISTS (SELECT FROM jsonb_array_elements(c.serve) s WHERE (s->>'version')::int = v.number)
        OR EXISTS (SELECT FROM rollout r WHERE r.channel_id = c.id AND r.ended_at IS NULL AND r.version = v.number))`;
    return rows.map(({ number, source }) => ({ number, source: Source.parse(source) }));
  }

  /** What is known of the image of a version by now. */
  async setTrust(db: Db, appId: string, number: number, trust: ImageTrust | undefined): Promise<void> {
    if (trust) await db.version.updateMany({ where: { appId, number }, data: { trust: trust as unknown as Prisma.InputJsonValue } });
  }

  /** Newest first, below `before` when it is given. */
  async list(appId: string, before: number | undefined, limit: number): Promise<VersionRecord[]> {
    const rows = await this.prisma.$queryRaw<VersionRow[]>`
      SELECT ${SUMMARY} FROM version v
      WHERE v.app_id = ${appId}::uuid AND (${before ?? null}::int IS NULL OR v.number < ${before ?? null}::int) ORDER BY v.number DESC LIMIT ${limit}`;
    return rows.map(toRecord);
  }

  async find(appId: string, number: number): Promise<VersionDetails | undefined> {
    const [row] = await this.prisma.$queryRaw<DetailsRow[]>`
      SELECT ${SUMMARY}, v.manifest, v.locked_app, v.trust FROM version v WHERE v.app_id = ${appId}::uuid AND v.number = ${number}`;
    return row && { ...toRecord(row), manifest: row.manifest, app: LockedApp.parse(row.locked_app), trust: ImageTrust.nullable().parse(row.trust) };
  }
}

const toImageData = ({ reference, digest, trust }: IngestedImage['image']) => ({
  imageReference: reference, imageDigest: digest, ...(trust && { trust: trust as unknown as Prisma.InputJsonValue }),
});

function toRecord(row: VersionRow): VersionRecord {
  return {
    number: row.number,
    digest: Digest.parse(row.digest),
    bytes: Number(row.bytes),
    image: row.image_reference === null ? null : { reference: row.image_reference, digest: BlobDigest.parse(row.image_digest) },
    pushedBy: row.pushed_by,
    createdAt: row.created_at,
    failure: row.failure,
    rollingOut: row.rolling_out,
    awaitingApproval: row.awaiting_approval,
    channels: row.channels,
    pinned: row.pinned,
    collected: row.collected,
    source: Source.nullable().parse(row.source),
  };
}
