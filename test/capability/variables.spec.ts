import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LockedApp } from '#contract/bundle/locked-app.js';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { LimitTrap } from '#engine/run/host.js';
import type { VariableAnswer } from '#runtime/capability/variables/variable-source.js';
import { VariableSource } from '#runtime/capability/variables/variable-source.js';
import { ComponentGrant, toVariableSource } from '#runtime/component/grant.js';
import type { PlatformLimits } from '#runtime/component/limits.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { startVault, type VaultStandIn } from '../fixtures/servers/vault.js';
import { TestGuest } from './guest-state.js';

const CONFIG = 'fermyon:spin/config';
const V2 = 'fermyon:spin/variables@2.0.0';
const V3 = 'spin:variables/variables@3.0.0';
const STORE = 'wasi:config/store@0.2.0-draft-2024-09-27';
const TOKEN = 'hvs.a-token-of-vault';

let vault: VaultStandIn;
let guest: TestGuest;
beforeAll(async () => { vault = await startVault(TOKEN); });
afterAll(() => vault.stop());
beforeEach(() => {
  vault.asked = [];
  vault.answer = null;
  vault.secrets.clear();
});
afterEach(() => guest?.dispose());

const ofVault = (more: object = {}) => ({ type: 'vault', url: vault.url, token: TOKEN, mount: 'secret', ...more });
const providersOf = (...providers: unknown[]) => RuntimeGrant.parse({ variablesProviders: providers }).variablesProviders;
const sourceOf = (providers: unknown[], set: Record<string, string> = {}, declared: Record<string, { default?: string }> = { greeting: {} }) => new VariableSource(declared, set, providersOf(...providers));
const asked = async (answer: VariableAnswer | undefined) => (typeof answer === 'function' ? answer() : answer);
/** A guest whose variables are the app's own. */
const guestWith = (source: VariableSource, names = ['greeting'], invocation = {}) => (guest = new TestGuest({ variables: new Map(names.map((name) => [name, source.find(name)!])) }, invocation));

describe('variables that are known', () => {
  beforeEach(() => { guest = new TestGuest({ variables: new Map([['variable', 'value'], ['empty', '']]) }); });

  it('are given to components by every interface', async () => {
    for (const [iface, name] of [[CONFIG, 'get-config'], [V2, 'get'], [V3, 'get'], [STORE, 'get']] as const) {
      const variables = await Forwarder.of(iface, guest);
      expect(await variables.call(name, 'variable')).toEqual({ tag: 'ok', val: 'value' });
      expect(await variables.call(name, 'empty')).toEqual({ tag: 'ok', val: '' });
    }
    expect(await (await Forwarder.of(STORE, guest)).call('get-all')).toEqual({ tag: 'ok', val: [['variable', 'value'], ['empty', '']] });
  });

  it('are errors in the words of Spin when they do not exist or cannot', () => {
    for (const iface of [V2, V3]) {
      expect(guest.calls(iface)('get', 'non_existent')).toMatchObject({ payload: { tag: 'undefined', val: 'no variable for "main"."non_existent"' } });
      for (const name of ['invalid-name', 'invalid!name', '4invalidname', '']) expect(guest.calls(iface)('get', name)).toMatchObject({ payload: { tag: 'invalid-name', val: expect.stringContaining(`${JSON.stringify(name)}: `) } });
    }
    expect(guest.calls(CONFIG)('get-config', 'non_existent')).toMatchObject({ payload: { tag: 'provider', val: 'no variable for "main"."non_existent"' } });
    expect(guest.calls(CONFIG)('get-config', 'invalid-name')).toMatchObject({ payload: { tag: 'invalid-key', val: expect.stringContaining('"invalid-name": ') } });
  });

  it('are none for wasi:config when they do not exist or cannot', async () => {
    const store = await Forwarder.of(STORE, guest);
    for (const name of ['non_existent', 'invalid!name']) expect(await store.call('get', name)).toEqual({ tag: 'ok', val: undefined });
  });

  it('are given without a promise', () => {
    for (const [iface, name] of [[CONFIG, 'get-config'], [V2, 'get'], [V3, 'get'], [STORE, 'get']] as const) expect(guest.calls(iface)(name, 'variable')).toBe('value');
    expect(guest.calls(STORE)('get-all')).toEqual([['variable', 'value'], ['empty', '']]);
  });
});

describe('variables that a provider has to be asked for', () => {
  it('are asked for at every get, by every interface of a component', async () => {
    vault.secrets.set('secret/data/greeting', { value: 'hush' });
    for (const [iface, name] of [[CONFIG, 'get-config'], [V2, 'get'], [V3, 'get'], [STORE, 'get']] as const) {
      guestWith(sourceOf([ofVault()]));
      expect(await (await Forwarder.of(iface, guest)).call(name, 'greeting')).toEqual({ tag: 'ok', val: 'hush' });
      guest.dispose();
    }
    guestWith(sourceOf([ofVault()], { own: 'o' }, { greeting: {}, own: {} }), ['own', 'greeting']);
    expect(await (await Forwarder.of(STORE, guest)).call('get-all')).toEqual({ tag: 'ok', val: [['own', 'o'], ['greeting', 'hush']] });
    expect(vault.asked).toHaveLength(5);
  });

  it('are kept for a moment: requests that come together are one question', async () => {
    vault.secrets.set('secret/data/greeting', { value: 'hush' });
    guestWith(sourceOf([ofVault()]));
    const call = guest.calls(V3);
    expect(await Promise.all(Array.from({ length: 10 }, () => call('get', 'greeting')))).toEqual(Array.from({ length: 10 }, () => 'hush'));
    await call('get', 'greeting');
    expect(vault.asked).toHaveLength(1);
  });

  it('have what was set before the providers, these in their order, and the default last', async () => {
    vault.secrets.set('secret/data/greeting', { value: 'of vault' });
    const first = { type: 'static', values: { greeting: 'of the first' } };
    const other = { type: 'static', values: { another: 'x' } };
    const declared = { greeting: { default: 'by default' } };
    expect(sourceOf([ofVault(), first], { greeting: 'set' }, declared).find('greeting')).toBe('set');
    expect(sourceOf([other, first, ofVault()], {}, declared).find('greeting')).toBe('of the first');
    expect(vault.asked).toEqual([]);
    expect(await asked(sourceOf([other, ofVault(), first], {}, declared).find('greeting'))).toBe('of vault');
    vault.secrets.clear();
    expect(await asked(sourceOf([ofVault(), first], {}, declared).find('greeting'))).toBe('of the first');
    expect(await asked(sourceOf([ofVault(), other], {}, declared).find('greeting'))).toBe('by default');
    expect(sourceOf([other], {}, declared).find('greeting')).toBe('by default');
    expect(sourceOf([other]).missing).toEqual(['greeting']);
  });

  it('are an error of the provider when it has none and there is no default', async () => {
    guestWith(sourceOf([ofVault()]));
    expect(await guest.calls(V2)('get', 'greeting')).toMatchObject({ payload: { tag: 'provider', val: 'no provider resolved required variable "greeting"' } });
    expect(await guest.calls(STORE)('get', 'greeting')).toMatchObject({ payload: { tag: 'upstream', val: 'no provider resolved required variable "greeting"' } });
    expect(await guest.calls(STORE)('get-all')).toMatchObject({ payload: { tag: 'upstream' } });
    expect(await guest.calls(CONFIG)('get-config', 'greeting')).toMatchObject({ payload: { tag: 'other', val: 'Error::Provider("no provider resolved required variable \\"greeting\\"")' } });
  });

  it('end with the invocation', async () => {
    let answer = (): void => undefined;
    const source = { find: () => () => new Promise<string>((resolve) => { answer = () => resolve('late'); }) } as unknown as VariableSource;
    guestWith(source, ['greeting'], { deadlineAt: Date.now() - 1 });
    const waiting = guest.calls(V2)('get', 'greeting');
    guest.hangUp();
    await expect(waiting).rejects.toBeInstanceOf(LimitTrap);
    answer();
  });
});

describe('Vault', () => {
  it('is asked for the field "value" of the secret of that name, below the prefix', async () => {
    vault.secrets.set('deep/mount/data/apps/one/api_key', { value: 's3cret', more: 1 });
    const source = sourceOf([ofVault({ url: `${vault.url}/`, mount: 'deep/mount', prefix: 'apps/one' })], {}, { api_key: {} });
    expect(await asked(source.find('api_key'))).toBe('s3cret');
    expect(vault.asked).toMatchObject([{ path: 'deep/mount/data/apps/one/api_key', headers: { 'x-vault-token': TOKEN } }]);
  });

  const FAULTS: [name: string, prepare: () => void, more: object, reason: RegExp][] = [
    ['refuses the token', () => undefined, { token: 'hvs.wrong' }, /it answers 403/],
    ['is sealed', () => { vault.answer = { status: 503, body: '{}' }; }, {}, /it answers 503/],
    ['sends elsewhere', () => { vault.answer = { status: 307, body: '' }; }, {}, /it answers 307/],
    ['has a secret without the field', () => { vault.secrets.set('secret/data/greeting', { other: 'hush' }); }, {}, /no field "value"/],
    ['has a secret that is no text', () => { vault.secrets.set('secret/data/greeting', { value: 5 }); }, {}, /no field "value"/],
    ['answers with what is no JSON', () => { vault.answer = { status: 200, body: '<html>' }; }, {}, /no field "value"/],
    ['is not there', () => undefined, { url: 'http://127.0.0.1:1' }, /ECONNREFUSED/],
  ];
  it.each(FAULTS)('that %s is an error of the provider, and why is in the log without token or value', async (_name, prepare, more, reason) => {
    prepare();
    guestWith(sourceOf([ofVault(more)], {}, { greeting: { default: 'never instead' } }));
    expect(await guest.calls(V2)('get', 'greeting')).toMatchObject({ payload: { tag: 'provider', val: 'Failed to check Vault for config' } });
    expect(guest.notes).toEqual([expect.stringMatching(reason)]);
    expect(guest.notes.join()).not.toMatch(/hvs\.|hush/);
  });

  it('that failed is asked again the next time', async () => {
    vault.answer = { status: 503, body: '{}' };
    guestWith(sourceOf([ofVault()]));
    await guest.calls(V2)('get', 'greeting');
    vault.answer = null;
    vault.secrets.set('secret/data/greeting', { value: 'there' });
    expect(await guest.calls(V2)('get', 'greeting')).toBe('there');
  });
});

describe(ComponentGrant.name, () => {
  const app = {
    variables: { host: { secret: false }, greeting: { secret: false, default: 'hi' } },
    components: [{
      id: 'main', environment: {}, files: [], keyValueStores: [], sqliteDatabases: [], aiModels: [], limits: {},
      variables: { text: '{{ greeting }}, {{host}}!', plain: 'x' },
      allowedOutboundHosts: ['redis://fixed:1', 'redis://{{ host }}:2', 'http://{{ greeting }}'],
    }],
  } as unknown as LockedApp;
  const scope = { org: 'o', app: 'a', version: 1, stateDir: '/tmp', allowPrivateHosts: false, refusesEffects: false, settings: { temporaryBytes: 0 }, limits: {} as PlatformLimits, blobPath: () => '' };
  const grantOf = (set: Record<string, string>, ...providers: unknown[]) => {
    const grant = new ComponentGrant(app.components[0]!, [], scope as unknown as ConstructorParameters<typeof ComponentGrant>[2]);
    const runtime = RuntimeGrant.parse({ variablesProviders: providers });
    grant.setValues(toVariableSource(app, set, runtime), runtime);
    return grant;
  };

  it('puts known values into variables and allowed hosts, without anything to wait for', () => {
    const grant = grantOf({ host: 'db' }, { type: 'static', values: { greeting: 'yo' } });
    expect([...grant.variables]).toEqual([['text', 'yo, db!'], ['plain', 'x']]);
    expect(grant.allowedOutboundHosts).toEqual(['redis://fixed:1', 'redis://db:2', 'http://yo']);
    expect(grant.freshen()).toBeNull();
  });

  it('refuses a required variable that no provider has to be asked for', () => {
    expect(() => grantOf({})).toThrow('the variable "host" has no value');
    expect(() => grantOf({}, { type: 'static', values: {} })).toThrow('the variable "host" has no value');
  });

  it('asks for the values in allowed hosts before an invocation; what cannot be had allows nothing', async () => {
    vault.secrets.set('secret/data/greeting', { value: 'hey' });
    const grant = grantOf({}, ofVault());
    expect(grant.allowedOutboundHosts).toEqual(['redis://fixed:1']);
    await grant.freshen();
    expect(grant.allowedOutboundHosts).toEqual(['redis://fixed:1', 'http://hey']);
    vault.secrets.set('secret/data/host', { value: 'db' });
    const later = grantOf({}, ofVault());
    await Promise.all([later.freshen(), later.freshen()]);
    expect(later.allowedOutboundHosts).toEqual(['redis://fixed:1', 'redis://db:2', 'http://hey']);
    expect(later.freshen()).toBeNull();
    expect(await asked(later.variables.get('text'))).toBe('hey, db!');
  });

  it('forgets what was asked when the values are replaced meanwhile', async () => {
    vault.secrets.set('secret/data/host', { value: 'db' });
    const grant = grantOf({}, ofVault());
    const asking = grant.freshen();
    const runtime = RuntimeGrant.parse({});
    grant.setValues(toVariableSource(app, { host: 'set' }, runtime), runtime);
    await asking;
    expect(grant.allowedOutboundHosts).toEqual(['redis://fixed:1', 'redis://set:2', 'http://hi']);
  });
});
