import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';

describe('a bundle, where the policy asks for signatures', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
  });
  afterAll(() => fixture.stop());

  it('is refused before it is read, and makes no app', async () => {
    fixture.registry.signed.set('strict', 'enforce');
    // What the registry would refuse by itself as soon as it read it.
    expect(await fixture.push('strict', new Uint8Array([1, 2, 3]))).toMatchObject({ status: 422, body: { code: 'REGISTRY_SIGNATURE_MISSING' } });
    expect(await fixture.call('GET', '/v1/apps/strict')).toMatchObject({ status: 404 });
  });

  it('is made a version with a warning where the policy only warns', async () => {
    fixture.registry.signed.set('warned', 'warn');
    expect(await fixture.push('warned', makeBundle(makeApp()), 'rollout=none')).toMatchObject({ status: 201, body: { warnings: ['warned should have a signature'] } });
    expect(await fixture.call('GET', '/v1/apps/warned/versions/1')).toMatchObject({ body: { trust: null } });
  });
});
