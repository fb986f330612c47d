import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BlobDigest } from '#contract/ids.js';
import { RepositoriesService } from '#registry/repositories/repositories.service.js';
import { parseRepositoryName } from '#registry/repositories/repository-name.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { type Described, IMAGE, INDEX, OciFixture, codesOf, digestOf } from './oci.fixture.js';

const REPOSITORY = 'default/manifests';
const UNKNOWN = `sha256:${'0'.repeat(64)}`;
const EMPTY = 'application/vnd.oci.empty.v1+json';

describe('manifests of the OCI registry', () => {
  let fixture: OciFixture;
  let config: Described;
  beforeAll(async () => {
    fixture = await OciFixture.start();
    config = await fixture.pushBlob(REPOSITORY, Buffer.from('{}'), EMPTY);
  });
  afterAll(() => fixture.stop());

  const get = (reference: string, repository = REPOSITORY) => fixture.call('GET', `/v2/${repository}/manifests/${reference}`);
  const put = (reference: string, text: string, mediaType: string | undefined = IMAGE, query = '') =>
    fixture.call('PUT', `/v2/${REPOSITORY}/manifests/${reference}${query}`, { body: Buffer.from(text), headers: mediaType === undefined ? {} : { 'content-type': mediaType } });
  const image = (more: object = {}): string => JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config, layers: [], annotations: { unique: randomBytes(8).toString('hex') }, ...more });
  const index = (manifests: unknown, more: object = {}): string => JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests, ...more });
  const descriptorOf = (text: string, mediaType = IMAGE): Described => ({ mediaType, digest: digestOf(Buffer.from(text)), size: text.length });

  describe('push and pull', () => {
    it('gives by tag and by digest the bytes that came', async () => {
      // Spaces and order are part of what has the digest.
      const text = image().replace(':', ' : ') + '\n';
      const digest = digestOf(Buffer.from(text));
      const { status, headers } = await put('v1', text);
      expect([status, headers.get('location'), headers.get('docker-content-digest'), headers.get('oci-subject')]).toEqual([201, `/v2/${REPOSITORY}/manifests/${digest}`, digest, null]);
      for (const reference of ['v1', digest]) {
        const answer = await get(reference);
        expect([answer.status, answer.headers.get('content-type'), answer.headers.get('docker-content-digest'), answer.headers.get('content-length')]).toEqual([200, IMAGE, digest, String(text.length)]);
        expect(answer.body.toString()).toBe(text);
        const head = await fixture.call('HEAD', `/v2/${REPOSITORY}/manifests/${reference}`);
        expect([head.status, head.headers.get('content-type'), head.headers.get('docker-content-digest'), head.headers.get('content-length'), head.body.length]).toEqual([200, IMAGE, digest, String(text.length), 0]);
      }
    });

    it('takes one by its digest, with and without tags beside it', async () => {
      const text = image();
      const digest = digestOf(Buffer.from(text));
      expect((await put(digest, text)).headers.get('oci-tag')).toBeNull();
      const tags = Array.from({ length: 12 }, (_, i) => `t${i}`);
      const { status, headers } = await put(digest, text, IMAGE, `?${tags.map((tag) => `tag=${tag}`).join('&')}`);
      expect([status, headers.get('oci-tag')!.split(', ')]).toEqual([201, tags]);
      for (const tag of tags) expect((await get(tag)).headers.get('docker-content-digest')).toBe(digest);
    });

    it('takes one by its sha512', async () => {
      const text = image();
      const digest = digestOf(Buffer.from(text), 'sha512');
      const { status, headers } = await put(digest, text, IMAGE, '?tag=long');
      expect([status, headers.get('docker-content-digest')]).toEqual([201, digest]);
      expect((await get('long')).headers.get('docker-content-digest')).toBe(digest);
      expect((await get(digest)).body.toString()).toBe(text);
    });

    it('moves a tag, and keeps the manifest that it led to', async () => {
      const [before, after] = [image(), image()];
      await put('moves', before);
      await put('moves', after);
      expect((await get('moves')).body.toString()).toBe(after);
      expect((await get(digestOf(Buffer.from(before)))).status).toBe(200);
    });

    it('answers 304 to one who has it', async () => {
      const { digest } = await fixture.pushImage(REPOSITORY, 'known');
      expect((await fixture.call('GET', `/v2/${REPOSITORY}/manifests/known`, { headers: { 'if-none-match': `"${digest}"` } })).status).toBe(304);
    });

    it('takes an index of what is there, and an index of that', async () => {
      const text = image();
      await put(digestOf(Buffer.from(text)), text);
      const inner = index([descriptorOf(text)]);
      expect((await put('inner', inner, INDEX)).status).toBe(201);
      expect((await put('outer', index([descriptorOf(inner, INDEX)]), INDEX)).status).toBe(201);
      expect((await put('none', index([]), INDEX)).status).toBe(201);
      // As programs in Go write a list without elements.
      expect((await put('null', index(null), INDEX)).status).toBe(201);
    });

    it.each([
      ['Docker\'s image', () => [image({ mediaType: 'application/vnd.docker.distribution.manifest.v2+json' }), 'application/vnd.docker.distribution.manifest.v2+json']],
      ['an artifact of release candidates', () => [JSON.stringify({ mediaType: 'application/vnd.oci.artifact.manifest.v1+json', artifactType: 'a/b', blobs: [config] }), 'application/vnd.oci.artifact.manifest.v1+json']],
      ['a type that nobody knows', () => ['{"hello":"world"}', 'application/vnd.example.thing.v1+json']],
      ['an image without a declared type', () => [image({ mediaType: undefined }), IMAGE]],
      ['an image whose Content-Type has parameters', () => [image(), `${IMAGE}; charset=utf-8`]],
      ['members that the specification does not have', () => [image({ 'org.example.custom': { a: [1] } }), IMAGE]],
      ['data in descriptors', () => [image({ config: { ...config, data: 'e30=' } }), IMAGE]],
    ] as [string, () => [string, string]][])('takes %s', async (_what, make) => {
      const [text, mediaType] = make();
      expect((await put('other', text, mediaType)).status).toBe(201);
      const answer = await get('other');
      expect([answer.headers.get('content-type'), answer.body.toString()]).toEqual([mediaType.split(';')[0], text]);
    });

    it('takes the type from the manifest when the request has none', async () => {
      const text = image();
      const { status } = await fixture.call('PUT', `/v2/${REPOSITORY}/manifests/untyped`, { body: new Blob([text]).stream() });
      expect(status).toBe(201);
      expect((await get('untyped')).headers.get('content-type')).toBe(IMAGE);
    });

    it('does not ask for layers that may not be distributed', async () => {
      const layer = { mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', digest: UNKNOWN, size: 5, urls: ['https://example.com/layer'] };
      expect((await put('foreign', image({ layers: [layer] }))).status).toBe(201);
    });

    it('takes 4 MiB and no more', async () => {
      const sized = (bytes: number): string => {
        const text = image({ annotations: { fill: '' } });
        return text.replace('"fill":""', `"fill":"${'a'.repeat(bytes - text.length)}"`);
      };
      const limit = 4 * 1024 * 1024;
      expect((await put('large', sized(limit))).status).toBe(201);
      expect((await get('large')).body).toHaveLength(limit);
      const answer = await put('larger', sized(limit + 1));
      expect([answer.status, codesOf(answer)]).toEqual([413, ['SIZE_INVALID']]);
    });
  });

  describe('refusals', () => {
    const layer = (digest: string): object => ({ mediaType: 'application/octet-stream', digest, size: 1 });
    it.each([
      ['no JSON', '{', IMAGE, 400, 'MANIFEST_INVALID'],
      ['no object', '[]', IMAGE, 400, 'MANIFEST_INVALID'],
      ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('latin1'), IMAGE, 400, 'MANIFEST_INVALID'],
      ['an image without a config', '{"schemaVersion":2,"layers":[]}', IMAGE, 400, 'MANIFEST_INVALID'],
      ['an image without layers', `{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"${UNKNOWN}","size":2}}`, IMAGE, 400, 'MANIFEST_INVALID'],
      ['an index without manifests', '{"schemaVersion":2}', INDEX, 400, 'MANIFEST_INVALID'],
      ['an index with layers: two readers could see two things', '{"schemaVersion":2,"manifests":[],"layers":[]}', INDEX, 400, 'MANIFEST_INVALID'],
      ['another type than it declares', `{"schemaVersion":2,"mediaType":"${IMAGE}","manifests":[]}`, INDEX, 400, 'MANIFEST_INVALID'],
      ['schema 1', '{"schemaVersion":1}', 'application/vnd.docker.distribution.manifest.v1+prettyjws', 400, 'MANIFEST_INVALID'],
      ['a digest that is none', `{"layers":[${JSON.stringify(layer('sha256:1'))}]}`, 'a/b', 400, 'MANIFEST_INVALID'],
      ['an artifact type with U+0000', '{"artifactType":"a\\u0000"}', 'a/b', 400, 'MANIFEST_INVALID'],
      ['a layer that is not there', `{"layers":[${JSON.stringify(layer(UNKNOWN))}]}`, 'a/b', 404, 'MANIFEST_BLOB_UNKNOWN'],
      ['an index of what is not there', `{"schemaVersion":2,"manifests":[${JSON.stringify(layer(UNKNOWN))}]}`, INDEX, 404, 'MANIFEST_BLOB_UNKNOWN'],
    ])('refuses %s', async (_what, text, mediaType, status, code) => {
      const answer = await fixture.call('PUT', `/v2/${REPOSITORY}/manifests/bad`, { body: Buffer.from(text, 'latin1'), headers: { 'content-type': mediaType } });
      expect([answer.status, codesOf(answer)]).toEqual([status, [code]]);
      expect((await get('bad')).status).toBe(404);
    });

    it('refuses blobs whose bytes are lost', async () => {
      const blob = await fixture.pushBlob(REPOSITORY, randomBytes(10));
      await fixture.plane().get(BlobStorage).delete(blob.digest as BlobDigest);
      const answer = await put('lost', image({ layers: [blob] }));
      expect([answer.status, codesOf(answer)]).toEqual([404, ['MANIFEST_BLOB_UNKNOWN']]);
    });

    it('refuses blobs that another repository has', async () => {
      const elsewhere = await fixture.pushBlob('default/elsewhere', randomBytes(10));
      const answer = await put('stolen', image({ layers: [elsewhere] }));
      expect([answer.status, codesOf(answer)]).toEqual([404, ['MANIFEST_BLOB_UNKNOWN']]);
    });

    it.each([['another digest', digestOf(Buffer.from('x')), 400, 'DIGEST_INVALID'], ['no digest', 'sha256:baddigeststring', 400, 'DIGEST_INVALID'], ['no tag', '.hidden', 400, 'MANIFEST_INVALID'], ['a long tag', 'a'.repeat(129), 400, 'MANIFEST_INVALID']])(
      'refuses %s in the path', async (_what, reference, status, code) => {
        const answer = await put(reference, image());
        expect([answer.status, codesOf(answer)]).toEqual([status, [code]]);
      });

    it('tags nothing when one of the tags beside a digest is none', async () => {
      const text = image();
      expect((await put(digestOf(Buffer.from(text)), text, IMAGE, '?tag=fine&tag=-bad')).status).toBe(400);
      expect((await get('fine')).status).toBe(404);
    });

    it.each([
      ['latest', 'default/nobody', 'NAME_UNKNOWN'], ['latest', 'nobody/app', 'NAME_UNKNOWN'], ['nothing', REPOSITORY, 'MANIFEST_UNKNOWN'], [UNKNOWN, REPOSITORY, 'MANIFEST_UNKNOWN'], ['.none', REPOSITORY, 'MANIFEST_UNKNOWN'],
    ])('answers %s of %s with 404 %s', async (reference, repository, code) => {
      const answer = await get(reference, repository);
      expect([answer.status, codesOf(answer)]).toEqual([404, [code]]);
    });

    it('takes what names unknown things where the operator lets it', async () => {
      const replica = await fixture.startReplica({ WHORL_REGISTRY_SPARSE_MANIFESTS: 'true' });
      const { status } = await fixture.call('PUT', `/v2/${REPOSITORY}/manifests/sparse`, { body: index([layer(UNKNOWN)]), headers: { 'content-type': INDEX }, replica });
      expect(status).toBe(201);
    });
  });

  describe('delete', () => {
    it('deletes a tag alone by tag, and everything by digest', async () => {
      const text = image();
      const digest = digestOf(Buffer.from(text));
      for (const tag of ['one', 'two', 'three']) await put(tag, text);
      expect((await fixture.call('DELETE', `/v2/${REPOSITORY}/manifests/one`)).status).toBe(202);
      expect([(await get('one')).status, (await get('two')).status, (await get(digest)).status]).toEqual([404, 200, 200]);
      expect((await fixture.call('DELETE', `/v2/${REPOSITORY}/manifests/${digest}`)).status).toBe(202);
      for (const reference of ['two', 'three', digest]) expect((await get(reference)).status).toBe(404);
      for (const reference of ['two', digest]) expect(codesOf(await fixture.call('DELETE', `/v2/${REPOSITORY}/manifests/${reference}`))).toEqual(['MANIFEST_UNKNOWN']);
    });

    it('refuses to delete what an index names, until the index is gone', async () => {
      const text = image();
      const [child, parent] = [digestOf(Buffer.from(text)), index([descriptorOf(text)])];
      await put(child, text);
      await put('parent', parent, INDEX);
      const answer = await fixture.call('DELETE', `/v2/${REPOSITORY}/manifests/${child}`);
      expect([answer.status, codesOf(answer)]).toEqual([405, ['DENIED']]);
      await fixture.call('DELETE', `/v2/${REPOSITORY}/manifests/${digestOf(Buffer.from(parent))}`);
      expect((await fixture.call('DELETE', `/v2/${REPOSITORY}/manifests/${child}`)).status).toBe(202);
    });

    it('never lets a manifest name a blob that was deleted at the same moment', async () => {
      for (let i = 0; i < 20; i++) {
        const blob = await fixture.pushBlob(REPOSITORY, randomBytes(50));
        const [pushed, deleted] = await Promise.all([put(`race-${i}`, image({ layers: [blob] })), fixture.call('DELETE', `/v2/${REPOSITORY}/blobs/${blob.digest}`)]);
        expect([[201, 405], [404, 202]]).toContainEqual([pushed.status, deleted.status]);
        expect((await fixture.call('HEAD', `/v2/${REPOSITORY}/blobs/${blob.digest}`)).status).toBe(pushed.status === 201 ? 200 : 404);
      }
    });
  });

  it('tells of a tag after it is visible', async () => {
    const service = fixture.plane().get(RepositoriesService);
    const told: unknown[] = [];
    const end = service.onPush(({ repository, tag, digest }) => void told.push([repository, tag, digest]));
    const { digest } = await fixture.pushImage(REPOSITORY, 'told');
    end();
    await fixture.pushImage(REPOSITORY, 'untold');
    expect(told).toEqual([[{ org: 'default', name: 'manifests' }, 'told', digest]]);
  });

  it('resolves tags and digests for the platform', async () => {
    const service = fixture.plane().get(RepositoriesService);
    const { digest, size } = await fixture.pushImage(REPOSITORY, 'resolved');
    const found = { digest, mediaType: IMAGE, bytes: size };
    for (const reference of ['resolved', digest]) expect(await service.resolve(parseRepositoryName('manifests'), reference)).toEqual(found);
    expect(await service.resolve(parseRepositoryName('manifests'), 'nothing')).toBeUndefined();
    expect(await service.resolve(parseRepositoryName('nobody/manifests'), 'resolved')).toBeUndefined();
    expect(digestOf((await service.manifest(parseRepositoryName('manifests'), digest as never)).content)).toBe(digest);
  });
});
