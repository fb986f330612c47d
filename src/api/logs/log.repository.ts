import { Injectable } from '@nestjs/common';
import { PrismaService } from '#platform/prisma/prisma.service.js';
import { LogLineView } from './log.schema.js';

/** Whose lines: of an app, or of one of its channels alone. */
export interface LogSource {
  appId: string;
  channel?: string | undefined;
}

interface LogRow {
  id: bigint;
  at: Date;
  channel: string;
  version: number;
  component: string;
  requestId: string;
  stream: string;
  line: string;
}

/** Lines deleted in one statement: short enough that nobody waits for it. */
const REMOVE_BATCH = 10_000;

@Injectable()
export class LogRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** The last lines of an app, or of one of its channels, oldest first. */
  async tail({ appId, channel }: LogSource, count: number): Promise<LogLineView[]> {
    const rows = await this.prisma.logLine.findMany({ where: { appId, ...(channel !== undefined && { channel }) }, orderBy: { id: 'desc' }, take: count });
    return rows.reverse().map(toView);
  }

  /** The lines after one, oldest first. */
  async after({ appId, channel }: LogSource, id: bigint, limit: number): Promise<LogLineView[]> {
    const rows = await this.prisma.logLine.findMany({ where: { appId, id: { gt: id }, ...(channel !== undefined && { channel }) }, orderBy: { id: 'asc' }, take: limit });
    return rows.map(toView);
  }

  /** The newest line's id; 0 when there is none. */
  async lastId(appId: string): Promise<bigint> {
    const { _max: max } = await this.prisma.logLine.aggregate({ where: { appId }, _max: { id: true } });
    return max.id ?? 0n;
  }

  /** Forgets lines older than the date. Answers how many. */
  async removeBefore(date: Date): Promise<number> {
    let removed = 0;
    for (let count = REMOVE_BATCH; count === REMOVE_BATCH; removed += count) {
      count = await this.prisma.$executeRaw`
        DELETE FROM log_line WHERE id IN (SELECT id FROM log_line WHERE at < ${date} ORDER BY at LIMIT ${REMOVE_BATCH})`;
    }
    return removed;
  }
}

function toView({ id, at, channel, version, component, requestId, stream, line }: LogRow): LogLineView {
  return LogLineView.parse({ id: String(id), at: at.toISOString(), channel, version, component, requestId, stream, line });
}
