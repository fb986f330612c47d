import { Injectable } from '@nestjs/common';
import type { Db } from '#platform/prisma/prisma.service.js';

/** Of one app; older ones are forgotten. */
const REVISIONS_KEPT = 100;

/** The values that an app had, by revision. */
@Injectable()
export class VariableHistoryRepository {
  async put(db: Db, { appId, revision, values, causedBy }: { appId: string; revision: number; values: string; causedBy: string }): Promise<void> {
    await db.variableRevision.upsert({ where: { appId_revision: { appId, revision } }, create: { appId, revision, values, causedBy }, update: { values } });
    await db.$executeRaw`
      DELETE FROM variable_revision WHERE app_id = ${appId}::uuid AND revision <= (
        SELECT revision FROM variable_revision WHERE app_id = ${appId}::uuid ORDER BY revision DESC OFFSET ${REVISIONS_KEPT} LIMIT 1)`;
  }

  /** The values that held at a revision; `unknown`: that is longer ago than is known; null: they have never been others. */
  async at(db: Db, appId: string, revision: number): Promise<{ revision: number; values: string } | 'unknown' | null> {
    const found = await db.variableRevision.findFirst({ where: { appId, revision: { lte: revision } }, orderBy: { revision: 'desc' }, select: { revision: true, values: true } });
    if (found) return found;
    return (await this.isKnown(db, appId)) ? 'unknown' : null;
  }

  async isKnown(db: Db, appId: string): Promise<boolean> {
    return (await db.variableRevision.findFirst({ where: { appId }, select: { revision: true } })) !== null;
  }

  /** Whether the app has one channel and no other. */
  async hasOneChannel(db: Db, appId: string): Promise<boolean> {
    return (await db.channel.count({ where: { appId, deletedAt: null } })) === 1;
  }
}
