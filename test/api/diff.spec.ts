import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';

describe('GET /v1/apps/{app}/versions/{version}/diff/{other}', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    const app = makeApp();
    await fixture.push('shop', makeBundle(app), 'rollout=none');
    const asking = { ...app.components![0]!, allowedOutboundHosts: ['https://api.example.com'], keyValueStores: ['default'], limits: { cpuMs: 50 } };
    await fixture.push('shop', makeBundle({ ...app, components: [asking], variables: { currency: { secret: false, default: 'CHF' } } }), 'rollout=none');
  });
  afterAll(() => fixture.stop());

  it('says what the second version has and asks for that the first did not', async () => {
    const { status, body } = await fixture.call('GET', '/v1/apps/shop/versions/1/diff/2');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      app: 'shop', from: 1, to: 2, manifest: null,
      components: { changed: [{ id: 'web', source: null, limits: { added: [{ name: 'cpuMs', value: 50 }] }, allowedOutboundHosts: { added: [{ name: 'https://api.example.com' }] } }] },
      variables: { added: [{ name: 'currency' }] },
      capabilities: { added: [{ kind: 'key-value-store', name: 'default', components: ['web'] }, { kind: 'outbound-host', name: 'https://api.example.com' }], removed: [] },
    });
  });

  it('goes back as well', async () => {
    const { body } = await fixture.call('GET', '/v1/apps/shop/versions/2/diff/1');
    expect(body).toMatchObject({ from: 2, to: 1, capabilities: { added: [], removed: [{ name: 'default' }, { name: 'https://api.example.com' }] } });
  });

  it.each([['an app that is not there', '/v1/apps/nobody/versions/1/diff/2', 404, 'API_APP_NOT_FOUND'], ['a version that is not there', '/v1/apps/shop/versions/1/diff/9', 404, 'API_VERSION_NOT_FOUND'], ['what is no number', '/v1/apps/shop/versions/1/diff/x', 400, 'API_INPUT_INVALID']])('refuses %s', async (_what, path, status, code) => {
    expect(await fixture.call('GET', path)).toMatchObject({ status, body: { code } });
  });
});
