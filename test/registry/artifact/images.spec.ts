import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { BundleLimits } from '#contract/bundle/limits.js';
import { migrate } from '#platform/prisma/migrator.js';
import { ImageIntake } from '#registry/service/image-intake.js';
import { DatabaseFixture } from '../../api/database.fixture.js';
import { buildWat } from '../../fixtures/build-wat.js';
import { lib, tellingRoot } from '../../fixtures/composed.js';
import { rawTarGz } from '../../fixtures/raw-tar.js';
import { type RegistryUnderTest, bundleOf, inChunks, manifestOf, openRegistry } from '../registry-fixture.js';
import { type SpinPush, digestOf, imageOf, pushImage, SPIN, spinImage, type TestImage } from './image.fixture.js';

const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));
const never = new AbortController().signal;

let database: DatabaseFixture;
let databaseUrl: string;
let under: RegistryUnderTest;
let wasm: Uint8Array;
beforeAll(async () => {
  [database, wasm] = await Promise.all([DatabaseFixture.start(), buildWat('loop')]);
  databaseUrl = await database.create();
  await migrate(databaseUrl, MIGRATIONS);
  under = await openRegistry({ databaseUrl });
});
afterEach(async () => expect(await under.leftovers()).toEqual([]));
afterAll(async () => {
  await under.close();
  await database.stop();
});

const take = (reference: string) => under.registry.ingestImage(reference, { app: 'shop', hosts: ['whorl.example:4000'] }, never);
const takeImage = async (image: TestImage | Promise<TestImage>) => {
  await pushImage(under, 'shop:next', await image);
  return take('shop:next');
};
const takeSpin = (push: Partial<SpinPush> = {}) => takeImage(spinImage({ components: { main: wasm }, ...push }));
const refusal = (taken: Promise<unknown>) => taken.then(() => { throw new Error('it was taken'); }, (error: unknown) => error as { code: string; message: string });
const stored = async (digest: string) => buffer((await under.storage.get(digest as never)).content);

describe(ImageIntake.name, () => {
  it.each([
    ['as the last layer', false],
    ['as the config blob', true],
  ])('takes what spin registry push writes, the locked app %s', async (_, asConfig) => {
    const [large, small] = [randomBytes(5000), Buffer.from('hello')];
    const image = spinImage({ components: { main: wasm }, files: { '/www/large': large, '/www/small': small, '/empty': Buffer.alloc(0) }, asConfig });
    const digest = await pushImage(under, 'shop:1.2.0', image);
    const taken = await take('shop:1.2.0');
    expect(taken).toMatchObject({ digest, bytes: image.manifest.length + image.blobs.reduce((sum, { content }) => sum + content.length, 0), warnings: [], image: { reference: 'default/shop:1.2.0', digest } });
    expect(JSON.parse(taken.manifest)).toMatchObject({ spin_lock_version: 1 });
    const [component] = taken.app.components;
    expect(component).toMatchObject({ id: 'main', source: digestOf(wasm), sourceBytes: wasm.length });
    expect(component!.files).toEqual([
      { path: '/empty', digest: digestOf(Buffer.alloc(0)), bytes: 0 }, { path: '/www/large', digest: digestOf(large), bytes: 5000 }, { path: '/www/small', digest: digestOf(small), bytes: 5 },
    ]);
    expect(await stored(digestOf(small))).toEqual(small);
    expect(taken.builds['main']).toMatchObject({ component: digestOf(wasm), handlers: ['wasi-http-0.2'] });
  });

  it('takes the files of archive layers', async () => {
    const files = { '/www/a': randomBytes(300), '/www/deep/b': Buffer.from('b'), '/www/same': Buffer.from('b') };
    const { app } = await takeSpin({ files, archive: true });
    expect(app.components[0]!.files.map(({ path, digest }) => [path, digest])).toEqual(Object.entries(files).map(([path, content]) => [path, digestOf(content)]));
    expect(await stored(digestOf(files['/www/a']))).toEqual(files['/www/a']);
  });

  it.each([
    ['a link', () => rawTarGz([{ name: 'x', type: '2', link: '/etc/passwd' } as never]), 'BUNDLE_ENTRY_REFUSED'],
    ['a path outside', () => rawTarGz([{ name: '../x' }]), 'BUNDLE_ENTRY_REFUSED'],
    ['what is no archive', () => Buffer.from('nothing'), 'BUNDLE_ARCHIVE_INVALID'],
  ])('refuses an archive layer with %s', async (_, archive, code) => {
    const image = spinImage({ components: { main: wasm }, change: (locked) => (locked.components[0]!.files = [{ path: '/x', digest: digestOf(Buffer.from('x')) }]) });
    const locked = image.blobs.at(-1)!;
    expect(await refusal(takeImage(imageOf([image.blobs[1]!, { mediaType: SPIN.archive, content: await archive() }, locked])))).toMatchObject({ code });
  });

  it('takes components with dependencies that were not composed before', async () => {
    const [root, library] = await Promise.all([tellingRoot(), lib()]);
    const dependency = { 'acme:lib/tell@1.0.0': { source: { content_type: 'application/wasm', digest: digestOf(library) }, export: null, inherit: { Some: ['environment'] } } };
    const { app, builds } = await takeSpin({ components: { root }, wasm: [library], change: (locked) => (locked.components[0]!['dependencies'] = dependency) });
    expect(app.components[0]!.dependencies).toMatchObject([{ name: 'acme:lib/tell@1.0.0', source: digestOf(library), sourceBytes: library.length, inherit: ['environment'] }]);
    expect(builds['root']!.dependencies).toMatchObject([{ imports: expect.arrayContaining(['wasi:cli/environment@0.2.6']), denied: ['fermyon:spin/variables@2.0.0'] }]);
  });

  it.each([
    ['wkg', { mediaType: 'application/vnd.wasm.config.v0+json', content: Buffer.from('{"architecture":"wasm","os":"wasip2"}') }, 'application/wasm'],
    ['oras', undefined, 'application/wasm'],
    ['older tools', undefined, SPIN.wasm],
  ])('takes a lone component of %s, which answers every path', async (_, config, mediaType) => {
    const { app, manifest } = await takeImage(imageOf([{ mediaType, content: wasm }], { ...(config && { config }) }));
    expect(app).toMatchObject({ name: 'shop', triggers: [{ route: '/...', component: 'main' }], components: [{ id: 'main', source: digestOf(wasm) }] });
    expect(manifest).toContain('spin_manifest_version = 2');
  });

  it('takes a lone component that is named by sha512', async () => {
    const { app } = await takeImage(imageOf([{ mediaType: 'application/wasm', content: wasm, algorithm: 'sha512' }]));
    expect(app.components[0]!.source).toBe(digestOf(wasm));
  });

  it.each([
    ['by the type of the layer', 'application/vnd.whorl.bundle.v1.tar+gzip', undefined],
    ['by the type of the artifact', 'application/vnd.oci.image.layer.v1.tar+gzip', 'application/vnd.whorl.bundle.v1'],
  ])('takes a bundle as a layer, known %s', async (_, mediaType, artifactType) => {
    const bundle = await bundleOf(wasm);
    const { app, manifest } = await takeImage(imageOf([{ mediaType, content: bundle }], { ...(artifactType && { artifactType }) }));
    expect(app.name).toBe('test');
    expect(manifest).toBe(manifestOf('source = "main.wasm"'));
    const sent = await under.registry.ingest(inChunks(bundle), never);
    expect(sent.app).toEqual(app);
  });

  it('takes what an index has for WebAssembly, and names the index', async () => {
    const image = imageOf([{ mediaType: 'application/wasm', content: wasm }]);
    const digest = await pushImage(under, 'shop:inner', image);
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: image.manifest.length, platform: { os: 'wasip2', architecture: 'wasm' } }] };
    const outer = await pushImage(under, 'shop:outer', { manifest: Buffer.from(JSON.stringify(index)), blobs: [] }, index.mediaType);
    expect((await take('shop:outer')).image).toEqual({ reference: 'default/shop:outer', digest: outer });
  });

  it.each([['shop:now'], ['default/shop:now'], ['whorl.example:4000/shop:now'], ['WHORL.example:4000/default/shop:now']])('knows %s as an image of its own', async (reference) => {
    const digest = await pushImage(under, 'shop:now', imageOf([{ mediaType: 'application/wasm', content: wasm }]));
    expect((await take(reference)).image).toEqual({ reference: 'default/shop:now', digest });
    expect((await take(`shop@${digest}`)).image).toEqual({ reference: `default/shop@${digest}`, digest });
  });

  it('reads a tag once: what it means later is another version', async () => {
    const first = await takeSpin();
    const second = await takeSpin({ files: { '/x': Buffer.from('x') } });
    expect(second.digest).not.toBe(first.digest);
    expect(await takeSpin()).toMatchObject({ digest: first.digest });
  });

  it.each<[string, () => TestImage | Promise<TestImage>, string, RegExp]>([
    ['a container image', () => imageOf([{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', content: Buffer.from('x') }]), 'REGISTRY_IMAGE_UNSUPPORTED', /default\/shop:next: it is a container image/],
    ['an image with nothing that is known', () => imageOf([{ mediaType: 'text/plain', content: Buffer.from('x') }, { mediaType: 'application/wasm', content: Buffer.from('y') }]), 'REGISTRY_IMAGE_UNSUPPORTED', /neither a locked app .* but 2 of text\/plain, application\/wasm/],
    ['an image without layers', () => imageOf([]), 'REGISTRY_IMAGE_UNSUPPORTED', /no layers/],
    ['a locked app that names what is in no layer', () => spinImage({ components: { main: wasm }, change: (locked) => (locked.components[0]!.files = [{ path: '/x', digest: digestOf(Buffer.from('gone')) }]) }), 'BUNDLE_FILE_MISSING', /locked app components\[0\]\.files\[0\]: the image holds nothing with the digest/],
    ['a locked app that is none', () => imageOf([{ mediaType: SPIN.locked, content: Buffer.from('{') }]), 'BUNDLE_MANIFEST_SYNTAX', /no JSON/],
    ['a locked app that is not UTF-8', () => imageOf([{ mediaType: SPIN.locked, content: Buffer.from([0xff]) }]), 'BUNDLE_MANIFEST_SYNTAX', /UTF-8/],
    ['a host feature that is required', () => spinImage({ components: { main: wasm }, change: (locked) => (locked['host_requirements'] = { gpu: 'required' }) }), 'BUNDLE_UNSUPPORTED', /"gpu"/],
    ['a manifest that gives a layer another size', () => {
      const image = imageOf([{ mediaType: 'application/wasm', content: wasm }]);
      return { ...image, manifest: Buffer.from(image.manifest.toString().replace(`"size":${wasm.length}`, '"size":7')) };
    }, 'REGISTRY_IMAGE_UNSUPPORTED', /says that sha256:.* has 7 bytes/],
    ['an archive that is named as a file as well', () => {
      const push = { components: { main: wasm }, files: { '/a': Buffer.alloc(200) }, archive: true };
      const archive = digestOf(spinImage(push).blobs.find(({ mediaType }) => mediaType === SPIN.archive)!.content);
      return spinImage({ ...push, change: (locked) => locked.components[0]!.files.push({ path: 'archive', digest: archive }, { path: 'gone', digest: digestOf(Buffer.from('gone')) }) });
    }, 'BUNDLE_FILE_MISSING', /files\[2\]/],
    ['a layer that is no component', () => imageOf([{ mediaType: 'application/wasm', content: Buffer.from('<html>') }]), 'REGISTRY_COMPONENT_INVALID', /component "main"/],
    ['a bundle without a manifest', () => imageOf([{ mediaType: 'application/vnd.whorl.bundle.v1.tar+gzip', content: rawTarGz([{ name: 'x' }]) }]), 'BUNDLE_MANIFEST_MISSING', /no spin.toml/],
  ])('refuses %s', async (_, image, code, message) => {
    expect(await refusal(takeImage(await image()))).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each<[string, Partial<BundleLimits>, Partial<SpinPush>, RegExp]>([
    ['files of their own', { fileBytes: 50_000 }, { files: { '/a': Buffer.alloc(60_000) } }, /the layer .* has 60000 bytes/],
    ['layers together', { unpackedBytes: 5000 }, {}, /layers have \d+ bytes together/],
    ['the number of files', { entries: 2 }, { files: { '/a': Buffer.from('a'), '/b': Buffer.from('b') } }, /names 3 different files/],
    ['archives, packed', { bundleBytes: 10 }, { files: { '/a': Buffer.alloc(200) }, archive: true }, /archive layer .* more than the 10/],
    ['archives, unpacked', { fileBytes: 50_000 }, { files: { '/a': Buffer.alloc(60_000) }, archive: true }, /entry ".\/a" has 60000 bytes/],
  ])('holds the limits of a bundle for %s', async (_, limits, push, message) => {
    const strict = await openRegistry({ databaseUrl, limits });
    try {
      await pushImage(strict, 'strict:1', spinImage({ components: { main: wasm }, ...push }));
      expect(await refusal(strict.registry.ingestImage('strict:1', { app: 'strict', hosts: [] }, never))).toMatchObject({ code: 'BUNDLE_TOO_LARGE', message: expect.stringMatching(message) });
      expect(await strict.leftovers()).toEqual([]);
    } finally {
      await strict.close();
    }
  });

  it.each([
    ['shop:nowhere', 'REGISTRY_IMAGE_UNKNOWN'],
    ['nobody/shop:1', 'REGISTRY_IMAGE_UNKNOWN'],
    [`shop@sha256:${'0'.repeat(64)}`, 'REGISTRY_IMAGE_UNKNOWN'],
    ['a/b/c:1', 'REGISTRY_IMAGE_REFERENCE_INVALID'],
    ['shop:', 'REGISTRY_IMAGE_REFERENCE_INVALID'],
  ])('refuses %s', async (reference, code) => {
    expect(await refusal(take(reference))).toMatchObject({ code });
  });
});
