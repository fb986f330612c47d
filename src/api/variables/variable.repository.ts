import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { LockedVariable } from '#contract/bundle/locked-app.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { Declarations, StoredVariable } from './variable-views.js';

const DeclarationsJson = z.record(z.string(), LockedVariable);

@Injectable()
export class VariableRepository {
  constructor(private readonly prisma: PrismaService) {}

  list(appId: string, db: Db = this.prisma): Promise<StoredVariable[]> {
    return db.variable.findMany({ where: { appId }, select: { name: true, secret: true, value: true }, orderBy: { name: 'asc' } });
  }

  listOf(appIds: string[]): Promise<(StoredVariable & { appId: string })[]> {
    return this.prisma.variable.findMany({ where: { appId: { in: appIds } } });
  }

  /** What a version declares; the newest one when no number is given. undefined when there is no such version. */
  async declaredBy(appId: string, number: number | undefined, db: Db = this.prisma): Promise<Declarations | undefined> {
    const [row] = await db.$queryRaw<{ variables: unknown }[]>`
      SELECT locked_app->'variables' AS variables FROM version
      WHERE app_id = ${appId}::uuid AND (${number ?? null}::int IS NULL OR number = ${number ?? null}::int)
      ORDER BY number DESC LIMIT 1`;
    return row && DeclarationsJson.parse(row.variables);
  }

  async put(db: Db, appId: string, { name, secret, value }: StoredVariable): Promise<void> {
    await db.variable.upsert({ where: { appId_name: { appId, name } }, create: { appId, name, secret, value }, update: { secret, value } });
  }

  async remove(db: Db, appId: string, name: string): Promise<void> {
    await db.variable.deleteMany({ where: { appId, name } });
  }
}
