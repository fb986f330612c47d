import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RemoteImagesOptions } from '#registry/client/remote-images.factory.js';
import { waitFor } from '#registry/client/retry.js';
import { RemoteImageSource } from '#registry/client/remote-image-source.js';
import { ImageSources } from './open-images.js';
import { digestOf, type Handler, MANIFEST_TYPE, manifestOf, StrangeRegistry } from './strange-registry.js';

const never = new AbortController().signal;
const manifest = '/v2/acme/shop/manifests/1';

let registry: StrangeRegistry;
let other: StrangeRegistry;
let images: ImageSources;
const open = (options: Partial<RemoteImagesOptions> = {}): Promise<RemoteImageSource> => images.open({ insecureOrigins: [registry.origin, other.origin], ...options });
beforeEach(async () => {
  [registry, other] = [await StrangeRegistry.start(), await StrangeRegistry.start()];
  images = new ImageSources();
});
afterEach(async () => {
  await images.close();
  await Promise.all([registry.stop(), other.stop()]);
});
const resolve = async (tag = '1', options?: Partial<RemoteImagesOptions>) => (await open(options)).resolve(`${registry.host}/acme/shop:${tag}`, never);
/** Answers like the handlers, one after the other, then like the last. */
const inTurn = (...handlers: Handler[]): Handler => (response, asked) => (handlers.length > 1 ? handlers.shift()! : handlers[0]!)(response, asked);

describe(RemoteImageSource.name, () => {
  it('answers what a tag means now, with the bytes that have the digest', async () => {
    const document = manifestOf('a');
    const digest = registry.manifest('acme/shop', '1', document);
    const image = await resolve();
    expect(image).toEqual({ reference: `${registry.host}/acme/shop:1`, digest, mediaType: MANIFEST_TYPE, manifest: Buffer.from(JSON.stringify(document)) });
    const again = await (await open()).resolve(`${registry.host}/acme/shop:1@${digest}`, never);
    expect(again.digest).toBe(digest);
    expect(registry.asked.at(-1)!.path).toBe(`/v2/acme/shop/manifests/${digest}`);
  });

  it('names an image by sha512 where the registry does', async () => {
    const content = JSON.stringify(manifestOf('a'));
    registry.manifest('acme/shop', '1', content, { 'docker-content-digest': digestOf(content, 'sha512') });
    expect((await resolve()).digest).toBe(digestOf(content, 'sha512'));
  });

  it.each<[string, Handler, string, RegExp]>([
    ['a manifest whose digest is another', (response) => response.writeHead(200, { 'content-type': MANIFEST_TYPE, 'docker-content-digest': digestOf('other') }).end(JSON.stringify(manifestOf('a'))), 'REGISTRY_IMAGE_MISMATCH', /should be sha256:\w+ is sha256/],
    ['a manifest that says it is something else', (response) => response.writeHead(200, { 'content-type': 'application/vnd.oci.image.index.v1+json' }).end(JSON.stringify(manifestOf('a'))), 'REGISTRY_IMAGE_MISMATCH', /the manifest itself application\/vnd\.oci\.image\.manifest/],
    ['a manifest of Docker’s first kind', (response) => response.writeHead(200, { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' }).end('{}'), 'REGISTRY_IMAGE_UNSUPPORTED', /manifest\.v1\+prettyjws, not one of/],
    ['a manifest that is no JSON', (response) => response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end('<html>'), 'REGISTRY_IMAGE_MISMATCH', /no JSON/],
    ['a manifest without end', (response) => response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end(Buffer.alloc(5 * 1024 * 1024)), 'REGISTRY_IMAGE_MISMATCH', /more than the 4194304 bytes/],
    ['a tag that is not there', (response) => response.writeHead(404).end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] })), 'REGISTRY_IMAGE_UNKNOWN', /answers 404 for acme\/shop: manifest unknown/],
    ['a registry that gives it to others only', (response) => response.writeHead(403).end(), 'REGISTRY_IMAGE_DENIED', /answers 403/],
    ['a registry that is broken', (response) => response.writeHead(500).end('secrets of what stands there'), 'REGISTRY_IMAGE_UNREACHABLE', /answers 500 for acme\/shop$/],
    ['a 401 that asks for nothing', (response) => response.writeHead(401).end(), 'REGISTRY_IMAGE_DENIED', /neither for a token nor for a password/],
  ])('refuses %s, and names the image', async (_what, handler, code, message) => {
    registry.on(manifest, handler);
    await expect(resolve()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(resolve()).rejects.toThrow(`${registry.host}/acme/shop:1: `);
  });

  it('refuses a manifest that has not the digest it was asked for by', async () => {
    const wrong = digestOf('wrong');
    registry.manifest('acme/shop', wrong, manifestOf('a'));
    await expect((await open()).resolve(`${registry.host}/acme/shop@${wrong}`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_MISMATCH' });
  });

  it('has no image of the built-in registry', async () => {
    await expect((await open()).resolve('acme/shop:1', never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFERENCE_INVALID', message: expect.stringContaining('names no registry') });
  });

  describe('trying again', () => {
    const good: Handler = (response) => response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end(JSON.stringify(manifestOf('a')));

    it('asks again after 429, 503 and a connection that was cut, longer each time', async () => {
      registry.on(manifest, inTurn((response) => response.writeHead(429).end(), (response) => response.writeHead(503).end(), (response) => response.destroy(), good));
      await resolve();
      expect(images.waits).toHaveLength(3);
      expect(images.waits[0]).toBeLessThan(images.waits[1]!);
      expect(images.waits[1]).toBeLessThan(images.waits[2]!);
    });

    it('waits as long as Retry-After says', async () => {
      registry.on(manifest, inTurn((response) => response.writeHead(429, { 'retry-after': '9' }).end(), good));
      await resolve();
      expect(images.waits).toEqual([9000]);
    });

    it('does not wait for an hour', async () => {
      registry.on(manifest, (response) => response.writeHead(429, { 'retry-after': '3600' }).end());
      await expect(resolve()).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE', message: expect.stringContaining('answers 429, and wants to be left alone for 3600') });
      expect(registry.asked).toHaveLength(1);
    });

    it.each<[string, Handler]>([
      ['502', (response) => response.writeHead(502).end()],
      ['a cut connection', (response) => response.destroy()],
    ])('gives up after five times %s', async (_what, handler) => {
      registry.on(manifest, handler);
      await expect(resolve()).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE' });
      expect(registry.asked).toHaveLength(5);
    });

    it('stops waiting when it is aborted', async () => {
      const gone = new AbortController();
      registry.on(manifest, (response) => response.writeHead(503, { 'retry-after': '30' }).end(() => gone.abort(new Error('gone'))));
      await expect((await open({ wait: waitFor })).resolve(`${registry.host}/acme/shop:1`, gone.signal)).rejects.toThrow('gone');
    });
  });

  describe('redirects', () => {
    it('are followed to a blob store', async () => {
      const document = JSON.stringify(manifestOf('a'));
      registry.on(manifest, (response) => response.writeHead(307, { location: `${other.origin}/bucket/x?signature=1` }).end());
      other.on('/bucket/x', (response) => response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end(document));
      expect((await resolve()).digest).toBe(digestOf(document));
    });

    it.each<[string, () => string, string, RegExp]>([
      ['to cloud metadata', () => 'http://169.254.169.254/latest/meta-data', 'REGISTRY_IMAGE_REFUSED', /not encrypted/],
      ['to cloud metadata by https', () => 'https://169.254.169.254/latest', 'REGISTRY_IMAGE_REFUSED', /169\.254\.169\.254 is an address that may not be fetched from/],
      ['to a private address', () => 'https://10.0.0.1/x', 'REGISTRY_IMAGE_REFUSED', /10\.0\.0\.1 is an address/],
      ['to a private address written in another way', () => 'https://[::ffff:10.0.0.1]/x', 'REGISTRY_IMAGE_REFUSED', /is an address/],
      ['to a name of the loopback', () => 'https://localhost:1/x', 'REGISTRY_IMAGE_REFUSED', /localhost is (127\.0\.0\.1|::1), an address/],
      ['to a file', () => 'file:///etc/passwd', 'REGISTRY_IMAGE_REFUSED', /not spoken to by http/],
      ['round and round', () => `${registry.origin}${manifest}`, 'REGISTRY_IMAGE_UNREACHABLE', /redirects more than 5 times/],
      ['to nowhere', () => '', 'REGISTRY_IMAGE_UNREACHABLE', /without a place to go to|redirects more than/],
    ])('are refused %s', async (_what, location, code, message) => {
      registry.on(manifest, (response) => response.writeHead(302, { location: location() }).end());
      await expect(resolve()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    });
  });

  describe('private addresses', () => {
    it.each(['127.0.0.1', 'localhost', '0x7f.1'])('are not reached unless the operator allows it: %s', async (name) => {
      const source = await open({ insecureOrigins: [] });
      await expect(source.resolve(`${name}:${registry.port}/acme/shop:1`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFUSED', message: expect.stringContaining('an address that may not be fetched from') });
      expect(registry.asked).toEqual([]);
    });

    it('are reached under the names that the operator lists, and under no other', async () => {
      const source = await open({ insecureOrigins: [], privateHosts: [`localhost:${registry.port}`] });
      // It is not refused: it speaks no TLS.
      await expect(source.resolve(`localhost:${registry.port}/acme/shop:1`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE' });
      await expect(source.resolve(`localhost:${other.port}/acme/shop:1`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFUSED' });
    });

    it.each(['169.254.169.254', 'fd00:ec2::254'])('of cloud metadata are never reached: %s', async (address) => {
      const host = address.includes(':') ? `[${address}]` : address;
      const source = await open({ allowPrivate: true, insecureOrigins: [`http://${host}`] });
      await expect(source.resolve(`${host.includes('[') ? `${host}:80` : host}/a/b:1`, never)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_REFUSED' });
    });
  });

  describe('referrers', () => {
    const subject = () => registry.manifest('acme/shop', '1', manifestOf('a'));
    const entry = (text: string) => ({ mediaType: MANIFEST_TYPE, digest: digestOf(text), size: text.length, artifactType: 'application/signature' });
    const index = (...manifests: object[]) => JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests });
    const INDEX = { 'content-type': 'application/vnd.oci.image.index.v1+json' };
    const referrers = async () => {
      const source = await open();
      return source.referrers(await source.resolve(`${registry.host}/acme/shop:1`, never), never);
    };

    it('are listed, page after page', async () => {
      const path = `/v2/acme/shop/referrers/${subject()}`;
      registry.on(path, (response, { path: asked }) => (asked.includes('next=1') ? response.writeHead(200, INDEX).end(index(entry('b'))) : response.writeHead(200, { ...INDEX, link: `<${path}?next=1>; rel="next"` }).end(index(entry('a')))));
      expect((await referrers()).map(({ digest, artifactType }) => [digest, artifactType])).toEqual([[digestOf('a'), 'application/signature'], [digestOf('b'), 'application/signature']]);
    });

    it('are found under the tag that stands for them where the registry has no list', async () => {
      const digest = subject();
      registry.on(`/v2/acme/shop/manifests/${digest.replace(':', '-')}`, (response) => response.writeHead(200, INDEX).end(index(entry('a'))));
      expect(await referrers()).toMatchObject([{ digest: digestOf('a'), bytes: 1 }]);
    });

    it('are none where there is neither', async () => {
      subject();
      expect(await referrers()).toEqual([]);
    });

    it('are not looked for elsewhere by a link', async () => {
      registry.on(`/v2/acme/shop/referrers/${subject()}`, (response) => response.writeHead(200, { ...INDEX, link: `<${other.origin}/v2/acme/shop/referrers/x>; rel="next"` }).end(index(entry('a'))));
      expect(await referrers()).toHaveLength(1);
      expect(other.asked).toEqual([]);
    });
  });
});
