import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { ControlConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { SecretBox } from '../../variables/secret-box.js';
import { nextDelayMs } from './delivery-schedule.js';
import { signatureHeaders } from './webhook-signature.js';
import { type WebhookAnswer, WebhookClient } from './webhook.client.js';
import { TryAgain, type WebhookQueue } from './webhook.queue.js';
import { type DeliveryRecord, type DeliveryResult, WebhookRepository, type WebhookRecord } from './webhook.repository.js';
import { GateBody } from './webhook.schema.js';
import { sealContext } from './webhooks.service.js';

const LOOK_MS = 500;
const AT_ONCE = 16;

type Pending = DeliveryRecord & { webhook: WebhookRecord };

/**
 * Sends deliveries. They are rows, written with what they tell of: a job for each is put in the queue afterwards, as often as it takes, so that what
 * was decided is told at least once whatever ends meanwhile. Any replica sends any of them.
 */
@Injectable()
export class DelivererService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private readonly underWay = new Set<Promise<void>>();

  // oxlint-disable-next-line max-params -- what is injected
  constructor(
    private readonly repository: WebhookRepository,
    private readonly client: WebhookClient,
    private readonly box: SecretBox,
    private readonly log: Log,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.running = this.run(this.stopping.signal);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(signal: AbortSignal): Promise<void> {
    let queue: WebhookQueue | undefined;
    while (!signal.aborted) {
      try {
        if (await this.repository.hasPending()) {
          // BullMQ is the slowest module to load: whoever has no webhooks never needs it.
          queue ??= await (await import('./webhook.queue.js')).WebhookQueue.open(this.config, this.log);
          await this.sendDue(queue, signal);
        }
      } catch (error) {
        this.log.warn('could not send webhooks', { error });
      }
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => {});
    }
    await Promise.allSettled(this.underWay);
    await queue?.close();
  }

  private async sendDue(queue: WebhookQueue, signal: AbortSignal): Promise<void> {
    await this.repository.enqueue((delivery) => queue.add(delivery));
    while (!signal.aborted && this.underWay.size < AT_ONCE) {
      const job = await queue.takeNext((id) => this.deliver(id));
      if (!job) return;
      const done = job.done.catch((error: unknown) => this.log.warn('a webhook job has trouble', { error })).finally(() => this.underWay.delete(done));
      this.underWay.add(done);
    }
  }

  /** One try. Throws TryAgain when there is to be another. */
  private async deliver(id: string): Promise<void> {
    const delivery = await this.repository.pending(id);
    // It was delivered, overridden or deleted meanwhile.
    if (!delivery) return;
    const result = await this.attempt(delivery);
    const attempts = delivery.attempts + 1;
    const isGate = delivery.webhook.mode === 'gate';
    const isLate = delivery.expiresAt !== null && Date.now() >= delivery.expiresAt.getTime();
    const delayMs = result.state === 'delivered' || isLate ? null : nextDelayMs(attempts, isGate);
    const ended = delayMs === null;
    await this.repository.note(id, { ...result, state: result.state ?? (ended ? 'failed' : 'pending'), attempts, ...(ended ? { endedAt: new Date() } : { nextAt: new Date(Date.now() + delayMs) }) });
    if (!ended) throw new TryAgain(delayMs, result.reason ?? 'it is to be asked again');
  }

  private async attempt({ id, payload, webhook }: Pending): Promise<DeliveryResult> {
    try {
      const url = this.client.check(webhook.url);
      const secret = this.box.open(webhook.secret, sealContext(webhook.id));
      const answer = await this.client.send(url, signatureHeaders(secret, { id, body: payload, atMs: Date.now() }), payload);
      return { lastStatus: answer.status, ...(webhook.mode === 'gate' ? readVerdict(answer) : readReceipt(answer)) };
    } catch (error) {
      const { message, cause } = error as Error;
      return { lastStatus: null, reason: [message, (cause as Error | undefined)?.message].filter((text) => text).join(': ').slice(0, 1_000) };
    }
  }
}

function readReceipt({ status }: WebhookAnswer): DeliveryResult {
  return isGood(status) ? { state: 'delivered', reason: null } : { reason: `it answered ${status}` };
}

/** A gate that does not say pass in so many words does not open: any server answers 200 to something. */
function readVerdict({ status, body }: WebhookAnswer): DeliveryResult {
  if (!isGood(status)) return { reason: `it answered ${status}` };
  const said = GateBody.safeParse(parseJson(body)).data;
  if (!said) return { reason: `it answered ${status} without {"verdict":"pass|fail|wait"}` };
  const { verdict, reason = null } = said;
  return verdict === 'wait' ? { verdict, reason } : { verdict, reason, state: 'delivered' };
}

const isGood = (status: number): boolean => status >= 200 && status < 300;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
