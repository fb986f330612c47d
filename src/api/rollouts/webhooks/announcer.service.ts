import { Injectable } from '@nestjs/common';
import type { VersionNumber } from '#contract/ids.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { RolloutRecord } from '../rollout.repository.js';
import { decideGates, type GateDecision } from './gate-decision.js';
import { type WebhookRecord, WebhookRepository } from './webhook.repository.js';
import { GATE_EVENT, type WebhookEvent, type WebhookPayload } from './webhook.schema.js';

/** A rollout, as far as it is told. */
type Told = Pick<RolloutRecord, 'id' | 'channelId' | 'version' | 'cause' | 'causedBy' | 'state'>;
/** What is told of one moment of it. */
export type Moment = Pick<WebhookPayload['data'], 'step' | 'percent' | 'shadow' | 'reason'>;

/** Says to webhooks what becomes of rollouts, and asks those that are gates; in the transaction that changes the rollout. */
@Injectable()
export class AnnouncerService {
  constructor(private readonly repository: WebhookRepository) {}

  /** Tells whoever wants to know. */
  async tell(db: Db, rollout: Told, event: WebhookEvent, moment: Moment = {}): Promise<void> {
    for (const webhook of await this.repository.wanting(db, rollout, event, 'notify')) {
      await this.repository.addDelivery(db, { webhookId: webhook.id, rolloutId: rollout.id, step: moment.step ?? null, event, payload: payloadOf(webhook, rollout, event, moment), expiresAt: null });
    }
  }

  /** Whether a step may begin; gates that have not been asked are asked. */
  async askGates(db: Db, rollout: Told, moment: Moment & { step: number }, now: Date): Promise<GateDecision> {
    const gates = await this.repository.wanting(db, rollout, GATE_EVENT, 'gate');
    if (gates.length === 0) return { kind: 'open' };
    const asked = await this.repository.gates(db, rollout.id, moment.step);
    const answers = [];
    for (const gate of gates) {
      const known = asked.find(({ webhookId }) => webhookId === gate.id) ?? (await this.ask(db, gate, rollout, moment, now));
      answers.push({ ...known, name: new URL(gate.url).host, expiresAt: known.expiresAt! });
    }
    return decideGates(answers, now);
  }

  /** Somebody has approved of a step that gates do not let begin. */
  override(db: Db, { id }: Pick<RolloutRecord, 'id'>, step: number): Promise<void> {
    return this.repository.override(db, id, step);
  }

  // oxlint-disable-next-line max-params -- who is asked what, and when
  private ask(db: Db, gate: WebhookRecord & { app: string; channelName: string }, rollout: Told, moment: Moment & { step: number }, now: Date) {
    const expiresAt = new Date(now.getTime() + gate.timeoutS * 1_000);
    return this.repository.addDelivery(db, { webhookId: gate.id, rolloutId: rollout.id, step: moment.step, event: GATE_EVENT, payload: payloadOf(gate, rollout, GATE_EVENT, moment), expiresAt });
  }
}

function payloadOf({ app, channelName }: { app: string; channelName: string }, rollout: Told, type: WebhookEvent, moment: Moment): string {
  const { id, version, cause, causedBy, state } = rollout;
  const data = { app, channel: channelName, rollout: Number(id), version: version as VersionNumber, cause, causedBy, state, ...moment };
  return JSON.stringify({ type, timestamp: new Date().toISOString(), data } satisfies WebhookPayload);
}
