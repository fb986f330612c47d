import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import { type Prisma, PrismaClient } from './generated/client.js';

/** Connections of one process. */
const POOL_SIZE = 20;
/** Waiting for a connection, and holding one: bounds for a database under load, not for a healthy one. */
const MAX_WAIT_MS = 10_000;
const TRANSACTION_TIMEOUT_MS = 30_000;

/** What repositories work with: the client itself, or a transaction of it. */
export type Db = Prisma.TransactionClient;

/** The channel of every NOTIFY; its payload is the topic. */
export const NOTIFY_CHANNEL = 'whorl';

@Injectable()
export class PrismaService extends PrismaClient implements OnApplicationShutdown {
  constructor(url: string) {
    super({ adapter: new PrismaPg({ connectionString: url, max: POOL_SIZE }) });
  }

  /** Runs `work` in one transaction: all of it or nothing. */
  transaction<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.$transaction(work, { maxWait: MAX_WAIT_MS, timeout: TRANSACTION_TIMEOUT_MS });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.$disconnect();
  }
}

/** Wakes whoever waits for one of the topics (see Wakeups), in every process, when the transaction commits. */
export async function notify(db: Db, ...topics: string[]): Promise<void> {
  await db.$executeRaw`SELECT pg_notify(${NOTIFY_CHANNEL}, topic) FROM unnest(${topics}::text[]) AS topic`;
}
