import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { buildWorld } from '../fixtures/build-world.js';
import { startVault, type VaultStandIn } from '../fixtures/servers/vault.js';
import { artifactOf, ask, Blobs, type Built, httpTrigger, laneOf, TestFront } from './front-fixture.js';

const VARIABLES = 'fermyon:spin/variables@2.0.0';
const REDIS = 'fermyon:spin/redis';
const TOKEN = 'hvs.a-token-of-vault';

/** Answers with what `body` leaves at 8 (where) and 12 (how long), and the status it gives. */
const handler = (imports: string, body: string) => `(module
  ${imports}
  (memory (export "memory") 1)
  (data (i32.const 64) "greeting") (data (i32.const 80) "key")
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func $body (result i32) ${body})
  (func (export "fermyon:spin/inbound-http#handle-request") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store16 (i32.const 128) (call $body))
    (i32.store8 (i32.const 144) (i32.const 1))
    (i32.store (i32.const 148) (i32.load (i32.const 8)))
    (i32.store (i32.const 152) (i32.load (i32.const 12)))
    (i32.const 128)))`;
const GET = `(import "${VARIABLES}" "get" (func $get (param i32 i32 i32)))`;
/** The value of \`greeting\`, or the text of the error with status 500. */
const VALUE = `(call $get (i32.const 64) (i32.const 8) (i32.const 16))
  (if (result i32) (i32.load8_u (i32.const 16))
    (then (i64.store (i32.const 8) (i64.load (i32.const 24))) (i32.const 500))
    (else (i64.store (i32.const 8) (i64.load (i32.const 20))) (i32.const 200)))`;
/** What Redis has under \`key\`, at the address that is the value of \`greeting\`. */
const STORED = `(drop (call $value))
  (call $redis-get (i32.load (i32.const 8)) (i32.load (i32.const 12)) (i32.const 80) (i32.const 3) (i32.const 16))
  (i64.store (i32.const 8) (i64.load (i32.const 20)))
  (if (result i32) (i32.load8_u (i32.const 16)) (then (i64.store (i32.const 8) (i64.const 0)) (i32.const 500)) (else (i32.const 200)))`;

const blobs = new Blobs();
let vault: VaultStandIn;
let front: TestFront;
let speaker: Built;
let reader: Built;
beforeAll(async () => {
  vault = await startVault(TOKEN);
  speaker = await blobs.build(await buildWorld(handler(GET, VALUE), { imports: [VARIABLES], exports: ['fermyon:spin/inbound-http'] }));
  const imports = `${GET} (import "${REDIS}" "get" (func $redis-get (param i32 i32 i32 i32 i32))) (func $value (result i32) ${VALUE})`;
  reader = await blobs.build(await buildWorld(handler(imports, STORED), { imports: [VARIABLES, REDIS], exports: ['fermyon:spin/inbound-http'] }));
});
afterAll(async () => {
  await vault.stop();
  blobs.remove();
});
beforeEach(async () => { front = await new TestFront(blobs).listen(); });
afterEach(async () => {
  vault.answer = null;
  vault.secrets.clear();
  await front.close();
});

const ofVault = () => RuntimeGrant.parse({ variablesProviders: [{ type: 'vault', url: vault.url, token: TOKEN, mount: 'secret' }] });

function versionOf(build: Built, fallback?: string, hosts: string[] = []) {
  const artifact = artifactOf(1, { main: build }, [httpTrigger('all', '/...', { component: 'main' })], { variables: { greeting: '{{ greeting }}' }, allowedOutboundHosts: hosts });
  return { ...artifact, app: { ...artifact.app, variables: { greeting: { secret: true, ...(fallback !== undefined && { default: fallback }) }, ...(hosts.join().includes('port') && { port: { secret: false } }) } } };
}

async function serve(build: Built, change: object, fallback?: string, hosts?: string[]) {
  const lane = { ...laneOf('app', 1, [[1, 100]]), ...change };
  await front.front.prepare(lane, blobs.store(versionOf(build, fallback, hosts)));
  await front.front.serve(lane);
  return lane;
}
const get = () => ask(front.port, 'app.localhost');

describe('variables of an app that is served', () => {
  it('are what was set, else what a provider has, else the default, also for those that change while requests come', async () => {
    const lane = await serve(speaker, {}, 'by default');
    expect(await get()).toMatchObject({ status: 200, body: 'by default' });
    vault.secrets.set('secret/data/greeting', { value: 'of vault' });
    await front.front.serve({ ...lane, generation: 2, variablesRevision: 2, runtime: ofVault() });
    const seen = new Set<string>();
    for (const end = performance.now() + 10_000; !seen.has('of vault') && performance.now() < end; await sleep(5)) seen.add((await get()).body);
    seen.delete('the app is being made ready to ask its providers for variables');
    expect([...seen]).toEqual(['of vault']);
    await front.front.serve({ ...lane, generation: 3, variablesRevision: 3, variables: { greeting: 'set' } });
    expect(await get()).toMatchObject({ status: 200, body: 'set' });
  });

  it('may be missing where a provider may have them: the request learns it, and the log says why without a secret', async () => {
    await serve(speaker, { runtime: ofVault() });
    vault.answer = { status: 503, body: 'hush' };
    expect(await get()).toMatchObject({ status: 500, body: 'Failed to check Vault for config' });
    vault.answer = null;
    expect(await get()).toMatchObject({ status: 500, body: 'no provider resolved required variable "greeting"' });
    const lines = front.logs().map(({ line }) => line);
    expect(lines).toContainEqual('Failed to check Vault for config: it answers 503');
    expect(lines.join()).not.toMatch(/hvs\.|hush/);
  });

  it('are refused where nothing can give them a value', async () => {
    await expect(serve(speaker, {})).rejects.toMatchObject({ code: 'COMPONENT_VARIABLE_MISSING' });
  });
});

describe('allowed hosts with values of a provider', () => {
  const logged = () => front.logs().map(({ line }) => line).join('\n');

  it('are known before the guest runs', async () => {
    vault.secrets.set('secret/data/greeting', { value: 'redis://127.0.0.1:1' });
    await serve(reader, { runtime: ofVault() }, undefined, ['{{ greeting }}']);
    expect(await get()).toMatchObject({ status: 500 });
    // the manifest lets it pass, the platform does not
    expect(logged()).toMatch(/an address that the platform does not allow/);
    expect(logged()).not.toMatch(/disallowed destination/);
  });

  it('allow nothing while the provider does not give the value, and what it says as soon as it does', async () => {
    vault.answer = { status: 503, body: '' };
    await serve(reader, { runtime: ofVault(), variables: { greeting: 'redis://127.0.0.1:1' } }, undefined, ['redis://127.0.0.1:{{ port }}']);
    expect(await get()).toMatchObject({ status: 500 });
    expect(logged()).toMatch(/disallowed destination 'redis:\/\/127.0.0.1:1'/);
    expect(logged()).not.toMatch(/an address that the platform does not allow/);
    vault.answer = null;
    vault.secrets.set('secret/data/port', { value: '1' });
    for (const end = performance.now() + 10_000; !/an address that the platform does not allow/.test(logged()); await sleep(50)) {
      expect(performance.now()).toBeLessThan(end);
      expect(await get()).toMatchObject({ status: 500 });
    }
  });
});
