import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RolloutDetails } from '#api/rollouts/rollout.schema.js';
import type { CreatedWebhook, DeliveryView, WebhookPayload, WebhookView } from '#api/rollouts/webhooks/webhook.schema.js';
import { hasRedis, startRedis } from '../fixtures/servers/redis.js';
import type { TestServer } from '../fixtures/servers/server-process.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  payload: WebhookPayload;
}

/** A receiver that answers as a test says. */
class Receiver {
  readonly received: Received[] = [];
  answer: (path: string, tries: number) => { status: number; body?: string; headers?: Record<string, string> } = () => ({ status: 204 });
  private readonly tries = new Map<string, number>();
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const path = request.url!;
      const tries = (this.tries.get(path) ?? 0) + 1;
      this.tries.set(path, tries);
      this.received.push({ path, headers: request.headers, body, payload: JSON.parse(body) as WebhookPayload });
      const { status, body: text = '', headers = {} } = this.answer(path, tries);
      response.writeHead(status, headers).end(text);
    });
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  at(path: string): Received[] {
    return this.received.filter((each) => each.path === path);
  }
}

const UNJUDGED = { enabled: false };
const backends: ['PostgreSQL' | 'Redis'][] = hasRedis ? [['PostgreSQL'], ['Redis']] : [['PostgreSQL']];

describe.each(backends)('webhooks, with jobs on %s', (backend) => {
  let fixture: ControlPlaneFixture;
  let receiver: Receiver;
  let redis: TestServer | undefined;
  let node: SimulatedNode;
  let replica = 0;
  const settings = () => ({ WHORL_WEBHOOK_PRIVATE_HOSTS: receiver.host, ...(redis && { WHORL_REDIS_URL: `redis://127.0.0.1:${redis.port}` }) });
  beforeAll(async () => {
    receiver = await new Receiver().start();
    redis = backend === 'Redis' ? (await startRedis())! : undefined;
    fixture = await ControlPlaneFixture.start();
    replica = await fixture.startReplica(settings());
    await fixture.stopReplica(0);
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(async () => {
    await fixture.stop();
    await redis?.stop();
    await receiver.stop();
  });
  beforeEach(() => {
    receiver.answer = () => ({ status: 204 });
  });

  const call = <T>(method: string, path: string, body?: object) => fixture.call<T>(method, `/v1/apps/${path}`, body && { body });
  const push = (app: string, seed: number, query = 'wait=20') => fixture.push(app, makeBundle({ ...makeApp(), seed: String(seed) }), query);
  const hook = async (app: string, path: string, more: object = {}) => {
    const { status, body } = await call<CreatedWebhook>('POST', `${app}/webhooks`, { url: `http://${receiver.host}${path}`, ...more });
    expect(status).toBe(201);
    return body;
  };
  const deliveries = async (app: string, id: string) => (await call<{ items: DeliveryView[] }>('GET', `${app}/webhooks/${id}/deliveries`)).body.items;
  const latest = async (app: string) => (await call<RolloutDetails>('GET', `${app}/rollouts/latest`)).body;
  const reaches = async (app: string, is: Partial<RolloutDetails>) => {
    let found = await latest(app);
    await until(async () => {
      found = await latest(app);
      return Object.entries(is).every(([key, value]) => found[key as keyof RolloutDetails] === value);
    }).catch(() => expect(found).toMatchObject(is));
    return found;
  };
  const begin = (app: string, rollout: string) => call('POST', `${app}/rollouts?wait=0`, { version: 2, rollout, analysis: UNJUDGED });
  const stored = async (app: string) => {
    await push(app, 1);
    await push(app, 2, 'rollout=none');
  };

  it('tell of a rollout before, during and after it, signed, each once', async () => {
    await stored('told');
    const { secret, id } = await hook('told', '/told');
    await begin('told', 'steps:25@1s');
    await reaches('told', { state: 'promoted' });
    await until(() => receiver.at('/told').length === 4);
    const got = receiver.at('/told');
    expect(got.map(({ payload: { type, data } }) => [type, data.step, data.percent]).sort()).toEqual([
      ['rollout.promoted', undefined, undefined], ['rollout.started', undefined, undefined], ['rollout.step', 0, 25], ['rollout.step', 1, 100],
    ]);
    expect(got[0]!.payload.data).toMatchObject({ app: 'told', channel: 'production', version: 2, cause: 'rollout', causedBy: 'admin' });
    for (const { headers, body } of got) {
      const { 'webhook-id': message, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headers as Record<string, string>;
      const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
      expect(signature).toBe(`v1,${createHmac('sha256', key).update(`${message}.${timestamp}.${body}`).digest('base64')}`);
      expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(120);
    }
    expect((await deliveries('told', id)).map(({ state, attempts, lastStatus }) => [state, attempts, lastStatus])).toEqual(Array(4).fill(['delivered', 1, 204]));
  });

  it('are tried again with the same id until they are taken, and once more when somebody asks', async () => {
    await push('retried', 1);
    const { id } = await hook('retried', '/retried', { events: ['rollout.started'] });
    receiver.answer = (path, tries) => ({ status: path === '/retried' && tries <= 2 ? 503 : 200 });
    await push('retried', 2);
    await until(async () => (await deliveries('retried', id))[0]?.state === 'delivered');
    expect(await deliveries('retried', id)).toMatchObject([{ event: 'rollout.started', attempts: 3, lastStatus: 200, reason: null }]);
    const ids = receiver.at('/retried').map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(1);
    expect(await call('POST', `retried/webhooks/${id}/deliveries/${ids[0] as string}/redeliver`)).toMatchObject({ status: 202, body: { state: 'pending', attempts: 0 } });
    await until(() => receiver.at('/retried').length === 4);
    expect(receiver.at('/retried')[3]!.headers['webhook-id']).toBe(ids[0]);
  });

  it('survive the end of the control plane between what they tell of and their delivery', async () => {
    await push('survives', 1);
    const { id } = await hook('survives', '/survives', { events: ['rollout.promoted'] });
    receiver.answer = () => ({ status: 500 });
    await push('survives', 2);
    await until(async () => ((await deliveries('survives', id))[0]?.attempts ?? 0) > 0);
    await fixture.stopReplica(replica);
    receiver.answer = () => ({ status: 200 });
    replica = await fixture.startReplica(settings());
    node.baseUrl = fixture.url();
    await until(async () => (await deliveries('survives', id))[0]?.state === 'delivered');
  });

  it('follow no redirects', async () => {
    await push('redirected', 1);
    const { id } = await hook('redirected', '/redirected', { events: ['rollout.started'] });
    receiver.answer = () => ({ status: 302, headers: { location: `http://${receiver.host}/elsewhere` } });
    await push('redirected', 2);
    await until(async () => (await deliveries('redirected', id))[0]?.lastStatus === 302);
    expect((await deliveries('redirected', id))[0]).toMatchObject({ state: 'pending', reason: 'it answered 302' });
    expect(receiver.at('/elsewhere')).toEqual([]);
  });

  describe('that are gates', () => {
    it('let a step begin when they say pass, after wait, and are asked before each', async () => {
      await stored('passes');
      await hook('passes', '/passes', { mode: 'gate' });
      receiver.answer = (_path, tries) => ({ status: 200, body: JSON.stringify({ verdict: tries === 1 ? 'wait' : 'pass' }) });
      await begin('passes', 'steps:25@1s');
      await reaches('passes', { state: 'promoted' });
      expect(receiver.at('/passes').map(({ payload: { data } }) => data.step)).toEqual([0, 0, 1]);
    });

    it('pause a rollout before its first step when they say fail; an approval of the step goes over them', async () => {
      await stored('fails');
      const { id } = await hook('fails', '/fails', { mode: 'gate' });
      await hook('fails', '/fails-told', { events: ['rollout.paused'] });
      receiver.answer = (path) => (path === '/fails' ? { status: 200, body: '{"verdict":"fail","reason":"tests are red"}' } : { status: 204 });
      await begin('fails', 'steps:25@manual');
      const paused = await reaches('fails', { state: 'paused' });
      expect(paused).toMatchObject({ phase: 'preparing', step: null, pausedFor: `the webhook at ${receiver.host} says fail: tests are red`, serving: [{ version: 1, percent: 100 }] });
      await until(() => receiver.at('/fails-told').length === 1);
      expect(receiver.at('/fails-told')[0]!.payload.data).toMatchObject({ step: 0, reason: expect.stringContaining('tests are red') });
      expect(await call('POST', `fails/rollouts/${paused.rollout}/approve?wait=0`, { step: 1 })).toMatchObject({ status: 409 });
      expect(await call('POST', `fails/rollouts/${paused.rollout}/approve?wait=0`, { step: 0 })).toMatchObject({ status: 202 });
      await reaches('fails', { state: 'paused', step: 0 });
      expect((await deliveries('fails', id))[0]).toMatchObject({ step: 0, verdict: 'overridden' });
    });

    it('pause it later too, keep an approval while they are asked, and let it go on when they are asked once more', async () => {
      await stored('later');
      const { id } = await hook('later', '/later', { mode: 'gate' });
      let verdict = 'pass';
      receiver.answer = () => ({ status: 200, body: JSON.stringify({ verdict }) });
      await begin('later', 'steps:25@manual');
      const { rollout } = await reaches('later', { state: 'paused', step: 0 });
      verdict = 'fail';
      await call('POST', `later/rollouts/${rollout}/approve?wait=0`, { step: 0 });
      await until(async () => (await latest('later')).pausedFor?.includes('says fail') ?? false);
      expect(await latest('later')).toMatchObject({ state: 'paused', step: 0, serving: [{ version: 1, percent: 75 }, { version: 2, percent: 25 }] });
      verdict = 'pass';
      const [gate] = await deliveries('later', id);
      await call('POST', `later/webhooks/${id}/deliveries/${gate!.id}/redeliver`);
      await reaches('later', { state: 'promoted' });
    });

    it('pause it when they say nothing in time, or nothing that is a verdict', async () => {
      await stored('silent');
      await hook('silent', '/silent', { mode: 'gate', timeoutS: 1 });
      receiver.answer = () => ({ status: 200, body: 'ok' });
      await begin('silent', 'now');
      const paused = await reaches('silent', { state: 'paused' });
      expect(paused.pausedFor).toBe(`the webhook at ${receiver.host} has not said pass in time: it answered 200 without {"verdict":"pass|fail|wait"}`);
    });

    it('hold up no rollback', async () => {
      await push('backwards', 1);
      await push('backwards', 2);
      await hook('backwards', '/backwards', { mode: 'gate' });
      receiver.answer = () => ({ status: 200, body: '{"verdict":"fail"}' });
      expect(await call('POST', 'backwards/rollback')).toMatchObject({ status: 200, body: { version: 1, state: 'serving' } });
      expect(receiver.at('/backwards')).toEqual([]);
    });
  });

  it('belong to an app and a channel, are shown without their secrets, and are sealed at rest', async () => {
    await push('owner', 1);
    await push('stranger', 1);
    const own = 'whsec_' + Buffer.alloc(24, 7).toString('base64');
    const { id, secret } = await hook('owner', '/owner', { secret: own, channel: 'production', events: ['rollout.paused'] });
    expect(secret).toBe(own);
    const listed = await call<{ items: WebhookView[] }>('GET', 'owner/webhooks');
    expect(listed.body.items).toMatchObject([{ id, channel: 'production', mode: 'notify', events: ['rollout.paused'], createdBy: 'admin' }]);
    expect(JSON.stringify([listed.body, (await call('GET', `owner/webhooks/${id}`)).body])).not.toContain('whsec_');
    expect(JSON.stringify(await fixture.sql(`SELECT secret FROM webhook WHERE id = '${id}'`))).not.toContain(own.slice(6));
    expect(await call('GET', `stranger/webhooks/${id}`)).toMatchObject({ status: 404, body: { code: 'API_WEBHOOK_NOT_FOUND' } });
    expect(await call('DELETE', `owner/webhooks/${id}`)).toMatchObject({ status: 204 });
    expect(await call('GET', `owner/webhooks/${id}/deliveries`)).toMatchObject({ status: 404 });
  });

  it.each([
    ['cloud metadata', 'https://169.254.169.254/'], ['a private address', 'https://10.0.0.1/'], ['an address in clear', 'http://hooks.test/'],
    ['a user in the URL', 'https://me:secret@hooks.test/'], ['the loopback in other digits', 'https://2130706433/'],
  ])('may not be sent to %s', async (_what, url) => {
    await push('refused', 1);
    expect(await call('POST', 'refused/webhooks', { url })).toMatchObject({ status: 422, body: { code: 'API_WEBHOOK_TARGET_REFUSED' } });
  });

  it('are not sent to a name that leads to a private address', async () => {
    await push('inside', 1);
    const { body } = await call<CreatedWebhook>('POST', 'inside/webhooks', { url: `https://localhost:1/`, events: ['rollout.started'] });
    await push('inside', 2);
    await until(async () => ((await deliveries('inside', body.id))[0]?.attempts ?? 0) > 0);
    expect((await deliveries('inside', body.id))[0]!.reason).toContain('an address that nothing may be sent to');
  });
});
