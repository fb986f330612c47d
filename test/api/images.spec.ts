import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';

interface Push {
  version: number;
  digest: string;
  state: string;
}

let api: ControlPlaneFixture;
beforeAll(async () => {
  api = await ControlPlaneFixture.start();
});
afterAll(() => api.stop());

const post = <T = Push>(app: string, image: unknown, query = 'rollout=none', headers: Record<string, string> = {}) => api.call<T>('POST', `/v1/apps/${app}/versions?${query}`, { body: { image }, headers });

describe('a version made of an image', () => {
  it('is numbered like any other, and says which image it was', async () => {
    api.registry.pushTag('shop', '1.0.0', makeBundle(makeApp()));
    const { digest } = api.registry.tags.get('shop:1.0.0')!;
    const pushed = await post('shop', 'shop:1.0.0');
    expect(pushed).toMatchObject({ status: 201, body: { app: 'shop', version: 1, digest, state: 'ready', warnings: [] } });
    expect(pushed.headers.get('location')).toBe('/v1/apps/shop/versions/1');
    expect((await api.call('GET', '/v1/apps/shop/versions/1')).body).toMatchObject({ image: { reference: 'shop:1.0.0', digest } });
    expect((await api.push('shop', makeBundle({ ...makeApp(), seed: 'other' }), 'rollout=none')).body).toMatchObject({ version: 2 });
    expect((await api.call('GET', '/v1/apps/shop/versions')).body).toMatchObject({ items: [{ version: 2, image: null }, { version: 1, image: { reference: 'shop:1.0.0' } }] });
  });

  it('is the same version for the same image, whatever it is called', async () => {
    const bundle = makeBundle({ ...makeApp(), seed: 'same' });
    api.registry.pushTag('same', 'a', bundle);
    api.registry.pushTag('same', 'b', bundle);
    expect((await post('same', 'same:a')).status).toBe(201);
    expect(await post('same', 'same:b')).toMatchObject({ status: 200, body: { version: 1 } });
    expect(await post('same', `same@${api.registry.tags.get('same:a')!.digest}`)).toMatchObject({ status: 200, body: { version: 1 } });
    expect((await api.call('GET', '/v1/apps/same/versions/1')).body).toMatchObject({ image: { reference: 'same:a' } });
  });

  it('means what the tag meant when it was made', async () => {
    api.registry.pushTag('moving', 'latest', makeBundle({ ...makeApp(), seed: '1' }));
    await post('moving', 'moving:latest');
    api.registry.pushTag('moving', 'latest', makeBundle({ ...makeApp(), seed: '2' }));
    expect((await post('moving', 'moving:latest')).body.version).toBe(2);
  });

  it('is rolled out, and waited for, like a bundle', async () => {
    api.node();
    api.registry.pushTag('live', '1', makeBundle(makeApp()));
    expect(await post('live', 'live:1', 'wait=20')).toMatchObject({ status: 201, body: { version: 1, state: 'serving' } });
  });

  it('may be named with the host of the API in front', async () => {
    api.registry.pushTag('hosted', '1', makeBundle(makeApp()));
    expect((await post('hosted', `${new URL(api.url()).host}/hosted:1`)).status).toBe(201);
  });

  it('makes a retry with the same key safe, and refuses another image with it', async () => {
    api.registry.pushTag('again', '1', makeBundle({ ...makeApp(), seed: '1' }));
    api.registry.pushTag('again', '2', makeBundle({ ...makeApp(), seed: '2' }));
    const key = { 'idempotency-key': 'k-1' };
    const first = await post('again', 'again:1', 'rollout=none', key);
    const second = await post('again', 'again:1', 'rollout=none', key);
    expect(second).toMatchObject({ status: 201, body: first.body });
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(await post('again', 'again:2', 'rollout=none', key)).toMatchObject({ status: 422, body: { code: 'API_IDEMPOTENCY_KEY_REUSED' } });
  });

  it('refuses an image that is not there, and leaves no app behind', async () => {
    expect(await post('nothing', 'nothing:1')).toMatchObject({ status: 422, body: { code: 'REGISTRY_IMAGE_UNKNOWN' } });
    expect((await api.call('GET', '/v1/apps/nothing')).status).toBe(404);
  });

  it.each([[{}], [{ image: '' }], [{ image: 7 }], [{ image: 'a:1', tag: 'x' }]])('refuses the body %j', async (body) => {
    expect(await api.call('POST', '/v1/apps/shop/versions', { body })).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
  });
});
