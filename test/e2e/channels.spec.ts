import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { get } from '../../bench/lib/load.mjs';
import { startPlatform, type Platform } from '../../bench/lib/platform.mjs';
import { packBundle } from '#contract/bundle/pack.js';
import { buildWorld } from '../fixtures/build-world.js';

/** Lanes of one app side by side, with real processes: channels with values of their own, and versions by themselves. */

const VARIABLES = 'fermyon:spin/variables@2.0.0';
/** Answers the value of the variable `text`. */
const GUEST = `(module
  (import "${VARIABLES}" "get" (func $get (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "text")
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "fermyon:spin/inbound-http#handle-request") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $get (i32.const 64) (i32.const 4) (i32.const 16))
    (i32.store16 (i32.const 128) (i32.const 200))
    (i32.store8 (i32.const 144) (i32.const 1))
    (i64.store (i32.const 148) (i64.load (i32.const 20)))
    (i32.const 128)))`;

const manifest = (number: number) => `spin_manifest_version = 2
application = { name = "shop", version = "1.${number}.0" }
[variables]
colour = { default = "plain" }
[[trigger.http]]
route = "/..."
component = "web"
[component.web]
source = "app.wasm"
[component.web.variables]
text = "{{ colour }} ${number}"
`;

let wasm: Uint8Array;
let platform: Platform;
const json = (body: unknown) => ({ body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
const push = async (number: number, query = 'wait=60') =>
  platform.push('shop', await packBundle([{ path: 'spin.toml', content: Buffer.from(manifest(number)) }, { path: 'app.wasm', content: wasm }]), query);
const ask = async (host: string) => {
  const { status, body } = await get({ port: platform.httpPort, host: `${host}.localhost`, path: '/', timeoutMs: 90_000 });
  return [status, body];
};
async function until<T>(what: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const value = await what();
    if (good(value) || tries > 300) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

beforeAll(async () => {
  wasm = await buildWorld(GUEST, { imports: [VARIABLES], exports: ['fermyon:spin/inbound-http'] });
  platform = await startPlatform({ env: { WHORL_PREVIEW_IDLE_MS: '4000' } });
  await push(1);
}, 180_000);
afterAll(() => platform?.stop(), 60_000);

describe('channels', () => {
  it('serve versions and values of their own, side by side', async () => {
    await platform.call('POST', '/v1/apps/shop/channels', json({ name: 'staging' }));
    await push(2, 'wait=60&channel=staging');
    await platform.call('PUT', '/v1/apps/shop/variables', json({ colour: 'red' }));
    await platform.call('PUT', '/v1/apps/shop/variables?channel=staging', json({ colour: 'blue' }));
    expect([await ask('shop'), await ask('staging--shop')]).toEqual([[200, 'red 1'], [200, 'blue 2']]);
    await platform.call('POST', '/v1/apps/shop/rollouts?wait=60&channel=staging', json({ version: 1 }));
    expect([await ask('shop'), await ask('staging--shop')]).toEqual([[200, 'red 1'], [200, 'blue 1']]);
  });

  it('follow their rules', async () => {
    await platform.call('PATCH', '/v1/apps/shop/channels/staging', json({ rule: { semver: '<1.4' } }));
    expect(await until(() => ask('staging--shop'), ([, body]) => body === 'blue 2')).toEqual([200, 'blue 2']);
    await push(3);
    expect([await ask('shop'), await until(() => ask('staging--shop'), ([, body]) => body === 'blue 3')]).toEqual([[200, 'red 3'], [200, 'blue 3']]);
    await push(4);
    expect([await ask('shop'), await ask('staging--shop')]).toEqual([[200, 'red 4'], [200, 'blue 3']]);
  });

  it('are locked and frozen, and open again', async () => {
    await platform.call('PUT', '/v1/apps/shop/channels/production/lock', json({ reason: 'an audit' }));
    await expect(platform.call('POST', '/v1/apps/shop/rollouts', json({ version: 3 }))).rejects.toThrow(/423 .*an audit/);
    await platform.call('DELETE', '/v1/apps/shop/channels/production/lock');
    const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
    await platform.call('PATCH', '/v1/apps/shop/channels/production', json({ freeze: [{ days, from: '00:00', to: '24:00', reason: 'a sale' }] }));
    expect(await platform.call('POST', '/v1/apps/shop/rollouts?wait=60', json({ version: 3 }))).toMatchObject({ state: 'pending', held: { reason: 'a sale' } });
    expect(await ask('shop')).toEqual([200, 'red 4']);
    await platform.call('PATCH', '/v1/apps/shop/channels/production', json({ freeze: null }));
    expect(await until(() => ask('shop'), ([, body]) => body === 'red 3')).toEqual([200, 'red 3']);
    expect(await platform.call('POST', '/v1/apps/shop/rollback?wait=60')).toMatchObject({ version: 4 });
  });

  it('answer nothing when they are deleted', async () => {
    expect(await platform.call('DELETE', '/v1/apps/shop/channels/staging')).toMatchObject({ deleted: true, live: [{ version: 3, percent: 100 }], variables: 1 });
    expect(await ask('staging--shop')).toEqual([404, expect.stringContaining('NODE_HOST_UNKNOWN')]);
    expect(await ask('shop')).toEqual([200, 'red 4']);
  });
});

describe('a version by itself', () => {
  it('answers on a host of its own, however many came after it, with the values of production', async () => {
    expect(await ask('v1--shop')).toEqual([200, 'red 1']);
    expect(await Promise.all([ask('v2--shop'), ask('v4--shop'), ask('v1--shop'), ask('shop')])).toEqual([[200, 'red 2'], [200, 'red 4'], [200, 'red 1'], [200, 'red 4']]);
  });

  it('takes up new values while it is used', async () => {
    await platform.call('PUT', '/v1/apps/shop/variables', json({ colour: 'green' }));
    expect(await until(() => ask('v1--shop'), ([, body]) => body === 'green 1')).toEqual([200, 'green 1']);
  });

  it('is counted as that version, in a lane of its own', async () => {
    const usage = await until(() => platform.call('GET', '/v1/apps/shop/usage?channel=v2'), ({ requests }) => requests > 0);
    expect(usage).toMatchObject({ requests: 1, byVersion: [{ version: 2, requests: 1 }] });
  });

  it('is not there when there is no such version, or no such app', async () => {
    for (const host of ['v9--shop', 'v1--nothing']) expect(await ask(host)).toEqual([404, expect.stringContaining('NODE_PREVIEW_UNKNOWN')]);
  });

  it('answers nobody where previews are closed', async () => {
    await ask('v1--shop');
    await platform.call('PUT', '/v1/apps/shop/previews', json({ access: 'closed' }));
    expect(await until(() => ask('v1--shop'), ([status]) => status === 404)).toEqual([404, expect.stringContaining('NODE_PREVIEW_UNKNOWN')]);
    await platform.call('PUT', '/v1/apps/shop/previews', json({ access: 'open' }));
    expect(await until(() => ask('v1--shop'), ([status]) => status === 200)).toEqual([200, 'green 1']);
  });

  it('comes back after it was dropped for want of requests', async () => {
    await ask('v3--shop');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect(await ask('v3--shop')).toEqual([200, 'green 3']);
  });
});
