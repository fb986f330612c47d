import { z } from 'zod';
import { ChannelName, VersionNumber } from '#contract/ids.js';
import { PageQuery } from '#platform/http/page.js';
import { AppParams } from '../../apps/app.schema.js';
import { isSecret } from './webhook-signature.js';

export const WEBHOOK_EVENTS = ['rollout.started', 'rollout.step', 'rollout.paused', 'rollout.promoted', 'rollout.rolled_back', 'rollout.aborted'] as const;
export const WebhookEvent = z.enum(WEBHOOK_EVENTS);
export type WebhookEvent = z.infer<typeof WebhookEvent>;
/** What a gate may be asked before. */
export const GATE_EVENT = 'rollout.step' satisfies WebhookEvent;

const Events = z
  .array(WebhookEvent)
  .min(1)
  .max(WEBHOOK_EVENTS.length)
  .describe('rollout.started: before anything else. rollout.step: before a version gets a share, copies, or all requests. rollout.paused: somebody has to decide. The others: how it ended.');

const fields = {
  url: z.url().max(2_048).describe('https; http only for hosts that the operator lists. Redirects are not followed.'),
  channel: ChannelName.nullable().default(null).describe('null: all channels of the app.'),
  events: Events.optional().describe('Without it all of them; of a gate `rollout.step`.'),
  mode: z.enum(['notify', 'gate']).default('notify').describe('notify: it is told. gate: a step begins when it has said pass.'),
  timeoutS: z.int().min(1).max(86_400).default(60).describe('How long a gate may take to say pass or fail; then the rollout pauses.'),
};

const isFitting = ({ mode, events }: { mode: string; events?: readonly string[] | undefined }): boolean => mode !== 'gate' || events === undefined || events.every((event) => event === GATE_EVENT);
const NOT_FITTING = { path: ['events'], message: `a gate is asked before steps: ${GATE_EVENT} alone` };

export const NewWebhook = z
  .strictObject({ ...fields, secret: z.string().refine(isSecret, 'expected whsec_ and base64 of 24 to 64 bytes').optional().describe('What deliveries are signed with; without it one is made.') })
  .refine(isFitting, NOT_FITTING);
export type NewWebhook = z.infer<typeof NewWebhook>;

export const WebhookView = z.object({
  id: z.uuid(),
  url: z.string(),
  channel: ChannelName.nullable(),
  events: z.array(WebhookEvent),
  mode: z.enum(['notify', 'gate']),
  timeoutS: z.int(),
  createdBy: z.string().describe('Name of the token.'),
  createdAt: z.iso.datetime(),
});
export type WebhookView = z.infer<typeof WebhookView>;

export const CreatedWebhook = WebhookView.extend({ secret: z.string().describe('Shown once.') });
export type CreatedWebhook = z.infer<typeof CreatedWebhook>;

export const DeliveryView = z.object({
  id: z.uuid().describe('What the receiver gets as webhook-id, the same at each try.'),
  event: WebhookEvent,
  rollout: z.int(),
  step: z.int().nullable(),
  state: z.enum(['pending', 'delivered', 'failed']),
  verdict: z.enum(['pass', 'fail', 'wait', 'overridden']).nullable().describe('Of a gate. overridden: somebody approved of the step all the same.'),
  reason: z.string().nullable().describe('Why the last try failed, or what the gate said.'),
  attempts: z.int(),
  lastStatus: z.int().nullable().describe('Of the last answer.'),
  nextAt: z.iso.datetime().nullable().describe('When it is tried again, at the earliest.'),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
});
export type DeliveryView = z.infer<typeof DeliveryView>;

export const WebhookParams = AppParams.extend({ webhook: z.uuid().describe('Id of the webhook.') });
export const DeliveryParams = WebhookParams.extend({ delivery: z.uuid().describe('Id of the delivery.') });
export const DeliveriesQuery = PageQuery;

/** What a gate answers. */
export const GateBody = z.object({ verdict: z.enum(['pass', 'fail', 'wait']), reason: z.string().max(1_000).optional() });

/** The body of a delivery. */
export const WebhookPayload = z.object({
  type: WebhookEvent,
  timestamp: z.iso.datetime(),
  data: z.object({
    app: z.string(), channel: z.string(), rollout: z.int(), version: VersionNumber, cause: z.string(), causedBy: z.string(), state: z.string(),
    step: z.int().optional(), percent: z.number().optional(), shadow: z.boolean().optional(), reason: z.string().optional(),
  }),
});
export type WebhookPayload = z.infer<typeof WebhookPayload>;
