import { Controller, Delete, Get, Post, Req } from '@nestjs/common';
import { z } from 'zod';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf } from '#platform/http/page.js';
import { AppParams } from '../../apps/app.schema.js';
import { CreatedWebhook, DeliveriesQuery, DeliveryParams, DeliveryView, NewWebhook, WebhookParams, WebhookView } from './webhook.schema.js';
import { WebhooksService } from './webhooks.service.js';

const tag = 'webhooks';
const errors = ['API_APP_NOT_FOUND', 'API_WEBHOOK_NOT_FOUND'] as const;
const List = z.object({ items: z.array(WebhookView) });

const CreateWebhook = endpoint({
  summary: 'Have rollouts of an app tell somebody, or ask',
  description:
    'Deliveries are signed as Standard Webhooks says (webhook-id, webhook-timestamp, webhook-signature), sent at least once and again until they are answered with 2xx. ' +
    'A gate is asked before each step and has to answer {"verdict":"pass|fail|wait","reason":"…"}; the rollout pauses when it says fail, or nothing in time.',
  tag,
  params: AppParams,
  body: NewWebhook,
  responses: { 201: { description: 'The webhook, with its secret.', body: CreatedWebhook } },
  errors: ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND', 'API_WEBHOOK_TARGET_REFUSED', 'API_WEBHOOKS_TOO_MANY'],
});
const ListWebhooks = endpoint({ summary: 'List the webhooks of an app', tag, params: AppParams, responses: { 200: { description: 'All of them, the oldest first.', body: List } }, errors: ['API_APP_NOT_FOUND'] });
const GetWebhook = endpoint({ summary: 'Show a webhook', tag, params: WebhookParams, responses: { 200: { description: 'The webhook.', body: WebhookView } }, errors });
const DeleteWebhook = endpoint({ summary: 'Delete a webhook', description: 'What is still to be delivered to it is dropped; steps do not wait for it any more.', tag, params: WebhookParams, responses: { 204: { description: 'It is gone.', body: null } }, errors });
const ListDeliveries = endpoint({
  summary: 'List the deliveries of a webhook, newest first', tag, params: WebhookParams, query: DeliveriesQuery,
  responses: { 200: { description: 'One page of deliveries.', body: pageOf(DeliveryView) } }, errors,
});
const Redeliver = endpoint({
  summary: 'Deliver once more',
  description: 'With the same webhook-id, and a new signature. A gate is asked once more, and its rollout goes on when it says pass.',
  tag, params: DeliveryParams, idempotent: true,
  responses: { 202: { description: 'It is going to be sent.', body: DeliveryView } }, errors: [...errors, 'API_DELIVERY_NOT_FOUND'],
});

@Controller('v1/apps/:app/webhooks')
export class WebhooksController {
  constructor(private readonly webhooks: WebhooksService) {}

  @Post()
  @Endpoint(CreateWebhook)
  create(@Input() { params, body }: InputOf<typeof CreateWebhook>, @Req() request: ApiRequest): Promise<CreatedWebhook> {
    return this.webhooks.create(params.app, body, request.principal!.name);
  }

  @Get()
  @Endpoint(ListWebhooks)
  async list(@Input() { params }: InputOf<typeof ListWebhooks>): Promise<z.infer<typeof List>> {
    return { items: await this.webhooks.list(params.app) };
  }

  @Get(':webhook')
  @Endpoint(GetWebhook)
  get(@Input() { params }: InputOf<typeof GetWebhook>): Promise<WebhookView> {
    return this.webhooks.get(params.app, params.webhook);
  }

  @Delete(':webhook')
  @Endpoint(DeleteWebhook)
  remove(@Input() { params }: InputOf<typeof DeleteWebhook>): Promise<void> {
    return this.webhooks.remove(params.app, params.webhook);
  }

  @Get(':webhook/deliveries')
  @Endpoint(ListDeliveries)
  deliveries(@Input() { params, query }: InputOf<typeof ListDeliveries>): Promise<Page<DeliveryView>> {
    return this.webhooks.deliveries(params.app, params.webhook, query);
  }

  @Post(':webhook/deliveries/:delivery/redeliver')
  @Endpoint(Redeliver)
  redeliver(@Input() { params }: InputOf<typeof Redeliver>): Promise<DeliveryView> {
    return this.webhooks.redeliver(params.app, params.webhook, params.delivery);
  }
}
