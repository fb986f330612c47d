import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RemoteImageSource } from '#registry/client/remote-image-source.js';
import { RegistryTokens } from '#registry/client/registry-tokens.js';
import { ImageSources } from './open-images.js';
import { digestOf, type Handler, MANIFEST_TYPE, manifestOf, StrangeRegistry } from './strange-registry.js';

const never = new AbortController().signal;
const document = JSON.stringify(manifestOf('a'));
const manifest = '/v2/acme/shop/manifests/1';
const blob = { digest: digestOf('a'), bytes: 1 };
const blobPath = `/v2/acme/shop/blobs/${blob.digest}`;
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

let registry: StrangeRegistry;
/** Where tokens are had, and where blobs lie. */
let other: StrangeRegistry;
let images: ImageSources;
let folder: string;
beforeEach(async () => {
  [registry, other] = [await StrangeRegistry.start(), await StrangeRegistry.start()];
  images = new ImageSources();
  folder = await mkdtemp(join(tmpdir(), 'whorl-auth-'));
});
afterEach(async () => {
  await images.close();
  await Promise.all([registry.stop(), other.stop()]);
  await rm(folder, { recursive: true });
});

const open = async (entry?: object): Promise<RemoteImageSource> => {
  const authFile = entry && join(folder, 'config.json');
  if (authFile) await writeFile(authFile, JSON.stringify({ auths: { [registry.host]: entry } }));
  return images.open({ insecureOrigins: [registry.origin, other.origin], authFile });
};
const resolve = (source: RemoteImageSource) => source.resolve(`${registry.host}/acme/shop:1`, never);
const read = async (source: RemoteImageSource) => source.readBlob(await resolve(source), blob, async (content) => { for await (const _ of content); }, never);
/** Wants a header, and otherwise asks for it. */
const guarded = (wanted: () => string, challenge: string, handler: Handler): Handler => (response, asked) => (asked.authorization === wanted() ? handler(response, asked) : response.writeHead(401, { 'www-authenticate': challenge }).end());
const bearer = () => `Bearer realm="${other.origin}/token",service="a registry",scope="repository:acme/shop:pull"`;
const guardAll = (wanted: () => string, challenge: string) => {
  registry.on(manifest, guarded(wanted, challenge, (response) => response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end(document)));
  registry.on(blobPath, guarded(wanted, challenge, (response) => response.end('a')));
};

describe(RegistryTokens.name, () => {
  it('gets a token without credentials where anybody gets one, once for all that it is for', async () => {
    guardAll(() => 'Bearer t1', bearer());
    other.on('/token', (response) => response.end(JSON.stringify({ token: 't1', expires_in: 300 })));
    const source = await open();
    const image = await resolve(source);
    await Promise.all([1, 2, 3].map(() => source.hasBlob(image, blob, never)));
    await resolve(source);
    expect(other.asked).toHaveLength(1);
    expect(other.asked[0]).toMatchObject({ method: 'GET', authorization: undefined });
    expect(Object.fromEntries(new URLSearchParams(other.asked[0]!.path.split('?')[1]))).toEqual({ service: 'a registry', scope: 'repository:acme/shop:pull' });
  });

  it('asks for one token when many layers begin at the same time', async () => {
    guardAll(() => 'Bearer t1', bearer());
    registry.on(manifest, (response) => response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end(document));
    other.on('/token', (response) => setTimeout(() => response.end(JSON.stringify({ access_token: 't1' })), 50));
    const source = await open();
    const image = await resolve(source);
    await Promise.all(Array.from({ length: 6 }, () => source.readBlob(image, blob, async (content) => { for await (const _ of content); }, never)));
    expect(other.asked).toHaveLength(1);
  });

  it('lets nobody fail because another one who asked for the same token gave up', async () => {
    guardAll(() => 'Bearer t1', bearer());
    const gone = new AbortController();
    let times = 0;
    other.on('/token', (response) => (++times === 1 ? setTimeout(() => gone.abort(new Error('gone')), 50) : response.end(JSON.stringify({ token: 't1' }))));
    const source = await open();
    const first = source.resolve(`${registry.host}/acme/shop:1`, gone.signal);
    const second = resolve(source);
    await expect(first).rejects.toThrow('gone');
    expect((await second).digest).toBe(digestOf(document));
  });

  it('shows its password to where the registry has its tokens, by GET', async () => {
    guardAll(() => 'Bearer t1', bearer());
    other.on('/token', guarded(() => basic('me:secret'), 'Basic', (response) => response.end(JSON.stringify({ token: 't1' }))));
    await resolve(await open({ auth: Buffer.from('me:secret').toString('base64') }));
    expect(other.asked[0]!.path).toContain('account=me');
  });

  it('shows it by POST where GET is not known', async () => {
    guardAll(() => 'Bearer t1', bearer());
    other.on('/token', (response, { method }) => (method === 'POST' ? response.end(JSON.stringify({ access_token: 't1' })) : response.writeHead(405).end()));
    await resolve(await open({ username: 'me', password: 'secret' }));
    expect(Object.fromEntries(new URLSearchParams(other.asked.at(-1)!.body))).toEqual({ grant_type: 'password', username: 'me', password: 'secret', service: 'a registry', scope: 'repository:acme/shop:pull', client_id: 'whorl' });
  });

  it('gives an identity token by POST', async () => {
    guardAll(() => 'Bearer t1', bearer());
    other.on('/token', (response) => response.end(JSON.stringify({ access_token: 't1' })));
    await resolve(await open({ identitytoken: 'refresh' }));
    expect(other.asked).toMatchObject([{ method: 'POST', authorization: undefined }]);
    expect(new URLSearchParams(other.asked[0]!.body).get('refresh_token')).toBe('refresh');
  });

  it('sends a registry token as it is', async () => {
    guardAll(() => 'Bearer given', bearer());
    await resolve(await open({ registrytoken: 'given' }));
    expect(other.asked).toEqual([]);
  });

  it('sends user and password where Basic is asked for, and asks only once', async () => {
    guardAll(() => basic('me:secret'), 'Basic realm="x"');
    await read(await open({ auth: Buffer.from('me:secret').toString('base64') }));
    expect(registry.asked.map(({ authorization }) => authorization)).toEqual([undefined, basic('me:secret'), basic('me:secret')]);
  });

  it('sees that the operator has changed the password', async () => {
    let good = 'me:old';
    guardAll(() => basic(good), 'Basic');
    const source = await open({ username: 'me', password: 'old' });
    await resolve(source);
    good = 'me:new';
    await expect(resolve(source)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_DENIED' });
    await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [registry.host]: { username: 'me', password: 'new' } } }));
    await resolve(source);
  });

  it('gets another token when one is at its end, or is not taken any more', async () => {
    let good = 't1';
    let given = 0;
    guardAll(() => `Bearer ${good}`, bearer());
    other.on('/token', (response) => response.end(JSON.stringify({ token: `t${++given}`, expires_in: given === 1 ? 1 : 300 })));
    const source = await open();
    await resolve(source);
    good = 't2';
    await resolve(source);
    // A second is less than what a token needs on its way: it was not sent again.
    expect(registry.asked.map(({ authorization }) => authorization)).toEqual([undefined, 'Bearer t1', undefined, 'Bearer t2']);
    good = 't3';
    await resolve(source);
    expect(registry.asked.slice(4).map(({ authorization }) => authorization)).toEqual(['Bearer t2', 'Bearer t3']);
  });

  it.each<[string, Handler, string, RegExp]>([
    ['it does not know us', (response) => response.writeHead(401).end(), 'REGISTRY_IMAGE_DENIED', /answers 401, and no credentials are set for/],
    ['it is broken', (response) => response.writeHead(500).end(), 'REGISTRY_IMAGE_UNREACHABLE', /answers 500/],
    ['it gives no token', (response) => response.end('{}'), 'REGISTRY_IMAGE_UNREACHABLE', /something that is no token/],
    ['it gives no JSON', (response) => response.end('<html>'), 'REGISTRY_IMAGE_UNREACHABLE', /something that is no token/],
    ['it gives too much', (response) => response.end(JSON.stringify({ token: 'x'.repeat(300_000) })), 'REGISTRY_IMAGE_MISMATCH', /more than the 262144 bytes/],
  ])('says what is wrong with where tokens are had: %s', async (_what, handler, code, message) => {
    guardAll(() => 'Bearer t1', bearer());
    other.on('/token', handler);
    const source = await open();
    await expect(resolve(source)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    // A failure is not kept.
    other.on('/token', (response) => response.end(JSON.stringify({ token: 't1' })));
    await resolve(source);
  });

  it('says that the registry wants a password, and none is set', async () => {
    guardAll(() => basic('me:secret'), 'Basic');
    await expect(resolve(await open())).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_DENIED', message: expect.stringContaining('none is set for it') });
  });

  it('asks once with what it has, not again and again', async () => {
    guardAll(() => 'Bearer never', bearer());
    other.on('/token', (response) => response.end(JSON.stringify({ token: 't1' })));
    await expect(resolve(await open())).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_DENIED' });
    expect(registry.asked).toHaveLength(2);
  });

  it.each([
    ['http://169.254.169.254/token'], ['https://10.0.0.1/token'], ['https://localhost:1/token'], ['ftp://example.com/token'],
  ])('shows its password to no address that may not be reached: %s', async (realm) => {
    guardAll(() => 'Bearer t1', `Bearer realm="${realm}"`);
    await expect(resolve(await open({ username: 'me', password: 'secret' }))).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFUSED' });
  });
});

describe('redirects to a blob store', () => {
  const wanted = () => 'Bearer t1';
  beforeEach(() => {
    guardAll(wanted, bearer());
    other.on('/token', (response) => response.end(JSON.stringify({ token: 't1' })));
  });

  it('carry no token', async () => {
    registry.on(blobPath, guarded(wanted, bearer(), (response) => response.writeHead(307, { location: `${other.origin}/bucket/a?signature=x` }).end()));
    other.on('/bucket/a', (response) => response.end('a'));
    await read(await open());
    expect(other.askedFor('/bucket/a')).toMatchObject([{ authorization: undefined }]);
  });

  it('carry none either when they come back by way of another', async () => {
    registry.on(blobPath, guarded(wanted, bearer(), (response) => response.writeHead(307, { location: `${other.origin}/away` }).end()));
    other.on('/away', (response) => response.writeHead(307, { location: `${registry.origin}/back` }).end());
    registry.on('/back', (response) => response.end('a'));
    await read(await open());
    expect(registry.askedFor('/back')).toMatchObject([{ authorization: undefined }]);
  });

  it('may lead to an address that is good for GET alone', async () => {
    registry.on(blobPath, guarded(wanted, bearer(), (response) => response.writeHead(307, { location: `${other.origin}/bucket/a` }).end()));
    other.on('/bucket/a', (response, { method }) => (method === 'HEAD' ? response.writeHead(403).end() : response.end('a')));
    const source = await open();
    expect(await source.hasBlob(await resolve(source), blob, never)).toBe(false);
    await read(source);
  });

  it('carry it within the registry', async () => {
    registry.on(blobPath, guarded(wanted, bearer(), (response) => response.writeHead(307, { location: '/elsewhere' }).end()));
    registry.on('/elsewhere', guarded(wanted, bearer(), (response) => response.end('a')));
    await read(await open());
  });

  it('do not have the registry’s password asked for by somebody else', async () => {
    registry.on(blobPath, guarded(wanted, bearer(), (response) => response.writeHead(307, { location: `${other.origin}/bucket/a` }).end()));
    other.on('/bucket/a', (response) => response.writeHead(401, { 'www-authenticate': `Bearer realm="${other.origin}/steal"` }).end());
    await expect(read(await open({ username: 'me', password: 'secret' }))).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_DENIED', message: expect.stringContaining(`(at ${other.host}) answers 401`) });
    expect(other.askedFor('/steal')).toEqual([]);
  });

  it('of a request for a token are not followed when it carries credentials in its body', async () => {
    other.on('/token', (response) => response.writeHead(307, { location: `${registry.origin}/steal` }).end());
    await expect(resolve(await open({ identitytoken: 'refresh' }))).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE', message: expect.stringContaining('redirects a request that carries credentials') });
    expect(registry.askedFor('/steal')).toEqual([]);
  });
});
