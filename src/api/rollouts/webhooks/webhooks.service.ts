import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import type { ChannelName } from '#contract/ids.js';
import { type Page, type PageQuery, readCursor, toPage } from '#platform/http/page.js';
import { AppsService } from '../../apps/apps.service.js';
import { SecretBox } from '../../variables/secret-box.js';
import { newSecret } from './webhook-signature.js';
import { WebhookClient } from './webhook.client.js';
import { type DeliveryRecord, type WebhookRecord, WebhookRepository } from './webhook.repository.js';
import { type CreatedWebhook, type DeliveryView, GATE_EVENT, type NewWebhook, WEBHOOK_EVENTS, type WebhookEvent, type WebhookView } from './webhook.schema.js';

const MAX_WEBHOOKS = 20;

/** Where a secret belongs. */
export const sealContext = (webhook: string): string => `webhook/${webhook}`;

/** Whom the rollouts of an app tell or ask, and what was sent to them. */
@Injectable()
export class WebhooksService {
  constructor(
    private readonly repository: WebhookRepository,
    private readonly apps: AppsService,
    private readonly client: WebhookClient,
    private readonly box: SecretBox,
  ) {}

  /** Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND, API_WEBHOOK_TARGET_REFUSED, API_WEBHOOKS_TOO_MANY. */
  async create(name: string, { secret = newSecret(), events, mode, ...asked }: NewWebhook, createdBy: string): Promise<CreatedWebhook> {
    this.client.check(asked.url);
    const record = await this.apps.change(name, { ...(asked.channel !== null && { channel: asked.channel }) }, async (db, app) => {
      if ((await this.repository.list(app.id, db)).length >= MAX_WEBHOOKS) throw new WhorlError('API_WEBHOOKS_TOO_MANY', `${name} has ${MAX_WEBHOOKS} webhooks`);
      const id = randomUUID();
      return this.repository.create(db, { id, appId: app.id, ...asked, mode, events: events ?? (mode === 'gate' ? [GATE_EVENT] : [...WEBHOOK_EVENTS]), secret: this.box.seal(secret, sealContext(id)), createdBy });
    });
    return { ...toView(record), secret };
  }

  /** Throws API_APP_NOT_FOUND. */
  async list(name: string): Promise<WebhookView[]> {
    return (await this.repository.list((await this.apps.get(name)).id)).map(toView);
  }

  /** Throws API_APP_NOT_FOUND, API_WEBHOOK_NOT_FOUND. */
  async get(name: string, id: string): Promise<WebhookView> {
    return toView(await this.find(name, id));
  }

  /** What was not delivered to it never is. Throws as `get` does. */
  async remove(name: string, id: string): Promise<void> {
    const { appId } = await this.find(name, id);
    await this.repository.remove(appId, id);
  }

  /** Newest first. Throws as `get` does. */
  async deliveries(name: string, id: string, { limit, cursor }: PageQuery): Promise<Page<DeliveryView>> {
    await this.find(name, id);
    const before = readCursor(cursor, z.coerce.bigint().positive());
    return toPage(await this.repository.deliveries(id, before, limit + 1), limit, ({ seq }) => String(seq), toDeliveryView);
  }

  /** Delivers once more, with the same id; a gate is asked once more. Throws as `get` does, and API_DELIVERY_NOT_FOUND. */
  async redeliver(name: string, id: string, delivery: string): Promise<DeliveryView> {
    const webhook = await this.find(name, id);
    const found = await this.repository.findDelivery(id, delivery);
    if (!found) throw new WhorlError('API_DELIVERY_NOT_FOUND', `the webhook has no delivery ${delivery}`);
    return toDeliveryView(await this.repository.again(found.id, webhook.mode === 'gate' ? new Date(Date.now() + webhook.timeoutS * 1_000) : null));
  }

  /** Forgets deliveries that have ended. */
  removeBefore(before: Date): Promise<number> {
    return this.repository.removeBefore(before);
  }

  private async find(name: string, id: string): Promise<WebhookRecord> {
    const found = await this.repository.find((await this.apps.get(name)).id, id);
    if (!found) throw new WhorlError('API_WEBHOOK_NOT_FOUND', `${name} has no webhook ${id}`);
    return found;
  }
}

function toView({ id, url, channel, events, mode, timeoutS, createdBy, createdAt }: WebhookRecord): WebhookView {
  return { id, url, channel: channel as ChannelName | null, events: events as WebhookEvent[], mode: mode as WebhookView['mode'], timeoutS, createdBy, createdAt: createdAt.toISOString() };
}

function toDeliveryView({ id, event, rolloutId, step, state, verdict, reason, attempts, lastStatus, nextAt, createdAt, endedAt }: DeliveryRecord): DeliveryView {
  return {
    id, event: event as WebhookEvent, rollout: Number(rolloutId), step, state, verdict: verdict as DeliveryView['verdict'], reason, attempts, lastStatus,
    nextAt: state === 'pending' ? nextAt.toISOString() : null, createdAt: createdAt.toISOString(), endedAt: endedAt?.toISOString() ?? null,
  };
}
