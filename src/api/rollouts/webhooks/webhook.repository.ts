import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Prisma } from '#platform/prisma/generated/client.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { RolloutRecord } from '../rollout.repository.js';

export interface WebhookRecord {
  id: string;
  appId: string;
  channel: string | null;
  url: string;
  events: string[];
  mode: string;
  timeoutS: number;
  /** Sealed. */
  secret: string;
  createdBy: string;
  createdAt: Date;
}

export interface DeliveryRecord {
  id: string;
  seq: bigint;
  webhookId: string;
  rolloutId: bigint;
  step: number | null;
  event: string;
  payload: string;
  state: 'pending' | 'delivered' | 'failed';
  verdict: string | null;
  reason: string | null;
  attempts: number;
  lastStatus: number | null;
  round: number;
  nextAt: Date;
  expiresAt: Date | null;
  createdAt: Date;
  endedAt: Date | null;
}

export type DeliveryResult = Partial<Pick<DeliveryRecord, 'state' | 'verdict' | 'reason' | 'attempts' | 'lastStatus' | 'nextAt' | 'endedAt' | 'expiresAt'>>;

/** A job that was due so long ago was lost with its queue. */
const LOST_MS = 5 * 60_000;
const AT_ONCE = 100;

@Injectable()
export class WebhookRepository {
  constructor(private readonly prisma: PrismaService) {}

  create(db: Db, webhook: Omit<WebhookRecord, 'createdAt'>): Promise<WebhookRecord> {
    return db.webhook.create({ data: webhook });
  }

  list(appId: string, db: Db = this.prisma): Promise<WebhookRecord[]> {
    return db.webhook.findMany({ where: { appId }, orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
  }

  find(appId: string, id: string): Promise<WebhookRecord | null> {
    return this.prisma.webhook.findFirst({ where: { id, appId } });
  }

  /** With what is still to be delivered to it. */
  async remove(appId: string, id: string): Promise<boolean> {
    return (await this.prisma.webhook.deleteMany({ where: { id, appId } })).count > 0;
  }

  /** Newest first, below `before` when it is given. */
  async deliveries(webhookId: string, before: bigint | undefined, limit: number): Promise<DeliveryRecord[]> {
    return (await this.prisma.webhookDelivery.findMany({ where: { webhookId, ...(before !== undefined && { seq: { lt: before } }) }, orderBy: { seq: 'desc' }, take: limit })) as DeliveryRecord[];
  }

  async findDelivery(webhookId: string, id: string): Promise<DeliveryRecord | null> {
    return (await this.prisma.webhookDelivery.findFirst({ where: { id, webhookId } })) as DeliveryRecord | null;
  }

  /** Those of the rollout's app that want the event, with the names of app and channel. */
  async wanting(db: Db, { channelId }: Pick<RolloutRecord, 'channelId'>, event: string, mode: string): Promise<(WebhookRecord & { app: string; channelName: string })[]> {
    return db.$queryRaw<(WebhookRecord & { app: string; channelName: string })[]>`
      SELECT w.id, w.app_id AS "appId", w.channel, w.url, w.events, w.mode, w.timeout_s AS "timeoutS", w.secret, w.created_by AS "createdBy", w.created_at AS "createdAt",
        a.name AS app, c.name AS "channelName"
      FROM channel c JOIN app a ON a.id = c.app_id JOIN webhook w ON w.app_id = a.id
      WHERE c.id = ${channelId}::uuid AND (w.channel IS NULL OR w.channel = c.name) AND w.mode = ${mode} AND ${event} = ANY (w.events) ORDER BY w.created_at, w.id`;
  }

  async addDelivery(db: Db, delivery: Pick<DeliveryRecord, 'webhookId' | 'rolloutId' | 'step' | 'event' | 'payload' | 'expiresAt'>): Promise<DeliveryRecord> {
    return (await db.webhookDelivery.create({ data: { id: randomUUID(), ...delivery } })) as DeliveryRecord;
  }

  /** What gates were asked before a step. */
  async gates(db: Db, rolloutId: bigint, step: number): Promise<DeliveryRecord[]> {
    return (await db.webhookDelivery.findMany({ where: { rolloutId, step, webhook: { mode: 'gate' } } })) as DeliveryRecord[];
  }

  async override(db: Db, rolloutId: bigint, step: number): Promise<void> {
    // What is null is not equal to anything, nor unequal.
    const unpassed = { OR: [{ verdict: null }, { NOT: { verdict: 'pass' } }] };
    await db.webhookDelivery.updateMany({ where: { rolloutId, step, webhook: { mode: 'gate' }, ...unpassed }, data: { verdict: 'overridden', state: 'failed', endedAt: new Date() } });
  }

  async hasPending(): Promise<boolean> {
    return (await this.prisma.webhookDelivery.findFirst({ where: { state: 'pending' }, select: { id: true } })) !== null;
  }

  /** Gives those that are not in the queue to `add`, one replica each; when that fails, they are given again. */
  async enqueue(add: (delivery: Pick<DeliveryRecord, 'id' | 'round'>) => Promise<void>): Promise<void> {
    await this.prisma.transaction(async (db) => {
      const due = await db.$queryRaw<{ id: string; round: number }[]>`
        SELECT id, round FROM webhook_delivery
        WHERE state = 'pending' AND (queued_at IS NULL OR next_at < clock_timestamp() - ${LOST_MS} * interval '1 millisecond')
        ORDER BY seq LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED`;
      for (const { id, round } of due) {
        await add({ id, round: round + 1 });
        await db.webhookDelivery.update({ where: { id }, data: { round: round + 1, queuedAt: new Date(), nextAt: new Date() } });
      }
    });
  }

  /** One that is still to be delivered, with its webhook. */
  async pending(id: string): Promise<(DeliveryRecord & { webhook: WebhookRecord }) | null> {
    return (await this.prisma.webhookDelivery.findFirst({ where: { id, state: 'pending' }, include: { webhook: true } })) as (DeliveryRecord & { webhook: WebhookRecord }) | null;
  }

  /** Notes what came of a try, unless it has ended meanwhile. */
  async note(id: string, result: DeliveryResult): Promise<void> {
    await this.prisma.webhookDelivery.updateMany({ where: { id, state: 'pending' }, data: result as Prisma.WebhookDeliveryUpdateManyMutationInput });
  }

  /** To be delivered from the beginning. */
  async again(id: string, expiresAt: Date | null): Promise<DeliveryRecord> {
    const data = { state: 'pending', verdict: null, reason: null, attempts: 0, queuedAt: null, endedAt: null, nextAt: new Date(), expiresAt };
    return (await this.prisma.webhookDelivery.update({ where: { id }, data })) as DeliveryRecord;
  }

  async removeBefore(before: Date): Promise<number> {
    return (await this.prisma.webhookDelivery.deleteMany({ where: { createdAt: { lt: before }, NOT: { state: 'pending' } } })).count;
  }
}
