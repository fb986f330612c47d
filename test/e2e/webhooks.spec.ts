import { createServer, type Server } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startPlatform, type Platform } from '../../bench/lib/platform.mjs';
import type { RolloutDetails } from '#api/rollouts/rollout.schema.js';
import type { DeliveryView } from '#api/rollouts/webhooks/webhook.schema.js';
import { packBundle } from '#contract/bundle/pack.js';

/** Webhooks of real processes to a real receiver. Runs what `npm run build` made. */

const manifest = (version: string) => `spin_manifest_version = 2
[application]
name = "hooks"
version = "${version}"
[[trigger.http]]
route = "/..."
component = "web"
[component.web]
source = "app.wasm"
`;

describe('webhooks', () => {
  let platform: Platform;
  let dataDir: string;
  let receiver: Server;
  let wasm: Buffer;
  const ids: string[] = [];
  let verdict = 'pass';
  beforeAll(async () => {
    wasm = await readFile(join(import.meta.dirname, '../../examples/tiny-wat/tiny-wat.wasm'));
    receiver = createServer((request, response) => {
      request.resume().on('end', () => {
        if (request.url === '/gate') return response.writeHead(200).end(JSON.stringify({ verdict, reason: 'as the test says' }));
        ids.push(request.headers['webhook-id'] as string);
        return response.writeHead(ids.length <= 2 ? 503 : 204).end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    dataDir = await mkdtemp(join(tmpdir(), 'whorl-hooks-'));
    platform = await startPlatform({ dataDir, env: { WHORL_WEBHOOK_PRIVATE_HOSTS: host() } });
  }, 120_000);
  afterAll(async () => {
    await platform?.stop();
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  const host = () => `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const push = async (version: string, query?: string) =>
    platform.push('hooks', await packBundle([{ path: 'spin.toml', content: Buffer.from(manifest(version)) }, { path: 'app.wasm', content: wasm }]), query);
  const hook = (path: string, more: object): Promise<{ id: string }> =>
    platform.call('POST', '/v1/apps/hooks/webhooks', { body: JSON.stringify({ url: `http://${host()}${path}`, ...more }), headers: { 'content-type': 'application/json' } });
  const until = async <T>(ask: () => Promise<T>, good: (found: T) => boolean): Promise<T> => {
    for (let tries = 0; ; tries++) {
      const found = await ask();
      if (good(found)) return found;
      if (tries > 600) throw new Error(`it came to nothing: ${JSON.stringify(found, null, 1)}`);
      await sleep(100);
    }
  };
  const latest = (): Promise<RolloutDetails> => platform.call('GET', '/v1/apps/hooks/rollouts/latest');

  it('reach a receiver that fails twice, once, through a restart of everything; and one that says fail stops a rollout', async () => {
    await push('1');
    const told = await hook('/told', { events: ['rollout.promoted'] });
    await push('2');
    const deliveries = async () => ((await platform.call('GET', `/v1/apps/hooks/webhooks/${told.id}/deliveries`)) as { items: DeliveryView[] }).items;
    await until(deliveries, ([first]) => (first?.attempts ?? 0) > 0);
    await platform.stop();
    platform = await startPlatform({ dataDir, env: { WHORL_WEBHOOK_PRIVATE_HOSTS: host() } });
    expect(await until(deliveries, ([first]) => first?.state === 'delivered')).toMatchObject([{ event: 'rollout.promoted', lastStatus: 204 }]);
    expect(ids.length).toBeGreaterThanOrEqual(3);
    expect(new Set(ids).size).toBe(1);

    await hook('/gate', { mode: 'gate' });
    verdict = 'fail';
    await push('3', 'wait=0');
    const paused = await until(latest, ({ state }) => state === 'paused');
    expect(paused).toMatchObject({ version: 3, pausedFor: `the webhook at ${host()} says fail: as the test says`, serving: [{ version: 2, percent: 100 }] });
    await platform.call('POST', `/v1/apps/hooks/rollouts/${paused.rollout}/approve`, { body: JSON.stringify({ step: 0 }), headers: { 'content-type': 'application/json' } });
    expect(await latest()).toMatchObject({ state: 'promoted', serving: [{ version: 3, percent: 100 }] });
  }, 180_000);
});
