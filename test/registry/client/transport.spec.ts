import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ControlConfig, readConfig } from '#platform/config.js';
import { Dispatchers } from '#registry/client/dispatchers.js';
import { openRemoteImages, remoteImagesOptions, type RemoteImagesOptions } from '#registry/client/remote-images.factory.js';
import { hasOpenssl, makeCertificates } from '../../fixtures/certificates.js';
import { ImageSources } from './open-images.js';
import { manifestOf, StrangeRegistry } from './strange-registry.js';
import { TestProxy } from './test-proxy.js';

const never = new AbortController().signal;
const images = new ImageSources();
afterEach(() => images.close());
const resolve = async (host: string, options: Partial<RemoteImagesOptions>) => (await images.open(options)).resolve(`${host}/acme/shop:1`, never);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whorl-transport-'));
});
afterAll(() => rm(folder, { recursive: true }));
const write = async (name: string, text: string) => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};

describe(Dispatchers.name, () => {
  it('speaks https unless the operator lists the http origin', () => {
    const dispatchers = new Dispatchers({ allowPrivate: false, privateHosts: [], insecureOrigins: ['http://registry.example:5000', 'https://other.example', 'http://both.example', 'https://both.example'], ca: undefined, proxy: undefined, noProxy: '' });
    const origins = ['ghcr.io', 'docker.io', 'registry.example:5000', 'registry.example', 'other.example', 'both.example', 'localhost:5000'].map((host) => dispatchers.originOf(host).origin);
    expect(origins).toEqual(['https://ghcr.io', 'https://registry-1.docker.io', 'http://registry.example:5000', 'https://registry.example', 'https://other.example', 'https://both.example', 'https://localhost:5000']);
  });
});

(hasOpenssl ? describe : describe.skip)(`a registry with a certificate of a private authority${hasOpenssl ? '' : ' (left out: openssl is not installed)'}`, () => {
  let registry: StrangeRegistry;
  let host: string;
  let ca: string;
  beforeAll(async () => {
    const certificates = makeCertificates('localhost');
    registry = await StrangeRegistry.start(certificates);
    registry.manifest('acme/shop', '1', manifestOf('a'));
    host = `localhost:${registry.port}`;
    ca = await write('ca.pem', certificates.ca);
  });
  afterAll(() => registry.stop());

  it('is trusted by the authority that the operator names', async () => {
    expect((await resolve(host, { caFile: ca, privateHosts: [host] })).digest).toMatch(/^sha256:/);
  });

  it('is not trusted otherwise, and asked only once', async () => {
    await expect(resolve(host, { privateHosts: [host] })).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE', message: expect.stringMatching(/certificate|issuer/) });
    expect(images.waits).toEqual([]);
  });

  it('is not trusted under a name that its certificate has not', async () => {
    await expect(resolve(registry.host, { caFile: ca, privateHosts: [registry.host] })).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE', message: expect.stringContaining('not in the cert') });
  });

  it('is spoken to whatever its certificate says where the operator lists its origin, and no other origin is', async () => {
    const insecure = { insecureOrigins: [`https://${registry.host}`], privateHosts: [host] };
    expect((await resolve(registry.host, insecure)).digest).toMatch(/^sha256:/);
    await expect(resolve(host, insecure)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE' });
  });

  it('does not lead to a registry in clear, even one that the operator lists', async () => {
    const inClear = await StrangeRegistry.start();
    registry.on('/v2/acme/shop/manifests/down', (response) => response.writeHead(302, { location: `${inClear.origin}/x` }).end());
    registry.on('/v2/acme/shop/manifests/token', (response) => response.writeHead(401, { 'www-authenticate': `Bearer realm="${inClear.origin}/token"` }).end());
    const source = await images.open({ caFile: ca, privateHosts: [host], insecureOrigins: [inClear.origin] });
    await expect(source.resolve(`${host}/acme/shop:down`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFUSED', message: expect.stringContaining('redirects from https to') });
    await expect(source.resolve(`${host}/acme/shop:token`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFUSED', message: expect.stringContaining('not encrypted') });
    expect(inClear.asked).toEqual([]);
    await inClear.stop();
  });

  it('is reached through a proxy, which sees its name and nothing of what is said', async () => {
    const proxy = await TestProxy.start();
    expect((await resolve(host, { caFile: ca, privateHosts: [host], proxy: proxy.url.replace('//', '//me:secret@') })).digest).toMatch(/^sha256:/);
    expect(proxy.asked).toEqual([`CONNECT ${host}`]);
    expect(proxy.authorization).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`);
    await proxy.stop();
  });

  it.each([
    ['no file', async () => join(folder, 'absent.pem'), /cannot be read/],
    ['a file without a certificate', () => write('empty.pem', 'hello'), /has no certificate in PEM/],
    ['a file with a damaged one', () => write('damaged.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'), /has a certificate that cannot be read/],
  ])('stops the start with %s of authorities', async (_what, file, message) => {
    await expect(images.open({ caFile: await file() })).rejects.toThrow(message);
  });
});

describe('a proxy', () => {
  let registry: StrangeRegistry;
  let proxy: TestProxy;
  beforeEach(async () => {
    [registry, proxy] = [await StrangeRegistry.start(), await TestProxy.start()];
    registry.manifest('acme/shop', '1', manifestOf('a'));
  });
  afterEach(() => Promise.all([registry.stop(), proxy.stop()]));

  it('is used in clear too, and finds the names itself', async () => {
    const host = `registry.invalid:${registry.port}`;
    await resolve(host, { proxy: proxy.url, insecureOrigins: [`http://${host}`] });
    expect(proxy.asked).toEqual([`GET http://${host}/v2/acme/shop/manifests/1`]);
  });

  it('is not used for what is to be reached without it', async () => {
    await resolve(registry.host, { proxy: proxy.url, noProxy: `.example,${registry.host}`, insecureOrigins: [registry.origin] });
    expect(proxy.asked).toEqual([]);
  });

  it('is not asked for addresses that may not be reached', async () => {
    await expect(resolve('10.0.0.1', { proxy: proxy.url })).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFUSED' });
    await expect(resolve('localhost:1', { proxy: proxy.url })).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFUSED' });
    await expect(resolve('169.254.169.254', { proxy: proxy.url, allowPrivate: true })).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFUSED' });
    expect(proxy.asked).toEqual([]);
  });

  it('that the environment names is not used', async () => {
    const before = process.env['HTTP_PROXY'];
    process.env['HTTP_PROXY'] = proxy.url;
    try {
      await resolve(registry.host, { insecureOrigins: [registry.origin] });
    } finally {
      if (before === undefined) delete process.env['HTTP_PROXY'];
      else process.env['HTTP_PROXY'] = before;
    }
    expect(proxy.asked).toEqual([]);
  });
});

describe(remoteImagesOptions.name, () => {
  const REQUIRED = { DATABASE_URL: 'postgres://localhost/whorl', WHORL_SECRET_KEY: Buffer.alloc(32, 1).toString('base64url') };

  it('allows nothing until the operator says so', () => {
    expect(remoteImagesOptions(readConfig(ControlConfig, REQUIRED))).toEqual({ allowPrivate: false, privateHosts: [], insecureOrigins: [], authFile: undefined, caFile: undefined, proxy: undefined, noProxy: '' });
  });

  it('has what the operator has set', () => {
    const config = readConfig(ControlConfig, {
      ...REQUIRED, WHORL_REGISTRY_PRIVATE_HOSTS: 'harbor.internal, minio.internal:9000,', WHORL_REGISTRY_INSECURE_ORIGINS: 'http://registry.internal:5000,https://[::1]:5001', WHORL_REGISTRY_PROXY: 'http://me:secret@proxy:3128',
    });
    expect(remoteImagesOptions(config)).toMatchObject({ privateHosts: ['harbor.internal', 'minio.internal:9000'], insecureOrigins: ['http://registry.internal:5000', 'https://[::1]:5001'], proxy: 'http://me:secret@proxy:3128' });
  });

  it.each([
    ['WHORL_REGISTRY_PRIVATE_HOSTS', 'https://harbor.internal'],
    ['WHORL_REGISTRY_PRIVATE_HOSTS', 'harbor.internal/library'],
    ['WHORL_REGISTRY_INSECURE_ORIGINS', 'registry.internal:5000'],
    ['WHORL_REGISTRY_INSECURE_ORIGINS', 'http://registry.internal:5000/v2'],
    ['WHORL_REGISTRY_PROXY', 'socks5://proxy:1080'],
    ['WHORL_REGISTRY_AUTH_FILE', 'config.json'],
  ])('refuses %s=%s', (name, value) => {
    expect(() => readConfig(ControlConfig, { ...REQUIRED, [name]: value })).toThrow(`${name}: `);
  });
});

describe(openRemoteImages.name, () => {
  it('stops the start with credentials that cannot be used', async () => {
    await expect(images.open({ authFile: await write('config.json', '{"credsStore":"desktop"}') })).rejects.toThrow('docker-credential-desktop');
  });
});
