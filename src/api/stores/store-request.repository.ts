import { Injectable } from '@nestjs/common';
import { type Db, notify, PrismaService } from '#platform/prisma/prisma.service.js';
import { storeAnswerTopic, storeRequestsTopic } from '../topics.js';

/** Requests that a node takes at a time. */
const TAKEN_AT_A_TIME = 16;
/** One without a deadline is given again to a node that has not answered for so long: it may have died over it. */
const RETRY_MS = 60_000;
/** Nodes that are gone for good leave what they were asked. */
const FORGOTTEN_AFTER = '30 days';

export interface SealedRequest {
  id: string;
  request: string;
}

@Injectable()
export class StoreRequestRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Asks a node. `deadlineMs` null: whenever it comes. */
  async put(node: string, { id, request }: SealedRequest, deadlineMs: number | null, db: Db = this.prisma): Promise<void> {
    await db.$executeRaw`
      INSERT INTO store_request (id, node, request, deadline_at)
      VALUES (${id}::uuid, ${node}, ${request}, now() + ${deadlineMs}::float8 * interval '1 millisecond')`;
    await notify(db, storeRequestsTopic(node));
  }

  /** What the node is asked, the oldest first; each is given once. */
  take(node: string): Promise<SealedRequest[]> {
    return this.prisma.$queryRaw<SealedRequest[]>`
      UPDATE store_request SET taken_at = now() WHERE id IN (
        SELECT id FROM store_request
        WHERE node = ${node} AND answer IS NULL
          AND (taken_at IS NULL OR deadline_at IS NULL AND taken_at < now() - ${RETRY_MS} * interval '1 millisecond')
          AND (deadline_at IS NULL OR deadline_at > now())
        ORDER BY created_at LIMIT ${TAKEN_AT_A_TIME} FOR UPDATE SKIP LOCKED)
      RETURNING id, request`;
  }

  /** Takes an answer; one that nobody waits for any more is dropped. */
  async answer(node: string, id: string, answer: string): Promise<void> {
    await this.prisma.transaction(async (db) => {
      // Nobody waits for one without a deadline.
      await db.$executeRaw`DELETE FROM store_request WHERE id = ${id}::uuid AND node = ${node} AND deadline_at IS NULL`;
      await db.$executeRaw`UPDATE store_request SET answer = ${answer} WHERE id = ${id}::uuid AND node = ${node}`;
      await notify(db, storeAnswerTopic(id));
    });
  }

  /** undefined: there is none yet. */
  async findAnswer(id: string): Promise<string | undefined> {
    return (await this.prisma.storeRequest.findUnique({ where: { id }, select: { answer: true } }))?.answer ?? undefined;
  }

  /** Forgets a request, and those that nobody waits for any more because the replica that did is gone. */
  async forget(id: string): Promise<void> {
    await this.prisma.$executeRaw`
      DELETE FROM store_request WHERE id = ${id}::uuid OR deadline_at < now() - interval '1 minute' OR created_at < now() - ${FORGOTTEN_AFTER}::interval`;
  }

  /** Every node that was ever heard of. */
  async nodes(db: Db): Promise<string[]> {
    return (await db.node.findMany({ select: { name: true } })).map(({ name }) => name);
  }
}
