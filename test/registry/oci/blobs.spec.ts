import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OciFixture, codesOf, digestOf } from './oci.fixture.js';

const REPOSITORY = 'default/blobs';
const UNKNOWN = `sha256:${'0'.repeat(64)}`;

describe('blobs of the OCI registry', () => {
  let fixture: OciFixture;
  beforeAll(async () => {
    fixture = await OciFixture.start();
    await fixture.startReplica();
  });
  afterAll(() => fixture.stop());

  const begin = async (repository = REPOSITORY, query = ''): Promise<string> => {
    const { status, headers } = await fixture.call('POST', `/v2/${repository}/blobs/uploads/${query}`);
    expect(status).toBe(202);
    return headers.get('location')!;
  };
  const pull = async (digest: string, repository = REPOSITORY): Promise<Buffer> => {
    const { status, headers, body } = await fixture.call('GET', `/v2/${repository}/blobs/${digest}`);
    expect([status, headers.get('docker-content-digest'), headers.get('content-length')]).toEqual([200, digest, String(body.length)]);
    return body;
  };
  const chunk = (content: Uint8Array, from: number, to: number): { body: Uint8Array; headers: Record<string, string> } => ({
    body: content.subarray(from, to + 1), headers: { 'content-range': `${from}-${to}`, 'content-type': 'application/octet-stream' },
  });

  it('says that it speaks the specification', async () => {
    const { status, headers } = await fixture.call('GET', '/v2/');
    expect([status, headers.get('docker-distribution-api-version')]).toEqual([200, 'registry/2.0']);
    expect((await fixture.call('GET', '/v2')).status).toBe(200);
  });

  it('answers what is no route in the specification\'s form', async () => {
    const answer = await fixture.call('GET', '/v2/_catalog');
    expect([answer.status, codesOf(answer)]).toEqual([404, ['UNSUPPORTED']]);
    expect((await fixture.call('POST', `/v2/${REPOSITORY}/manifests/latest`)).status).toBe(404);
  });

  describe('push', () => {
    it.each(['sha256', 'sha512'])('takes a blob by POST and PUT, with its %s', async (algorithm) => {
      const content = randomBytes(1000);
      const digest = digestOf(content, algorithm);
      const location = await begin(REPOSITORY, `?digest-algorithm=${algorithm}`);
      const { status, headers } = await fixture.call('PUT', `${location}?digest=${digest}`, { body: content });
      expect([status, headers.get('location'), headers.get('docker-content-digest')]).toEqual([201, `/v2/${REPOSITORY}/blobs/${digest}`, digest]);
      expect(await pull(digest)).toEqual(content);
    });

    it('takes a blob in one POST', async () => {
      const content = randomBytes(1000);
      const { status, headers } = await fixture.call('POST', `/v2/${REPOSITORY}/blobs/uploads/?digest=${digestOf(content)}`, { body: content });
      expect([status, headers.get('location')]).toEqual([201, `/v2/${REPOSITORY}/blobs/${digestOf(content)}`]);
      expect(await pull(digestOf(content))).toEqual(content);
    });

    it.each([0, 1, 3])('takes a blob in chunks, and says after each where it stands: %d bytes in the last request', async (last) => {
      const content = randomBytes(3000 + last);
      let location = await begin();
      for (const [from, to] of [[0, 999], [1000, 1999], [2000, 2999]] as const) {
        const { status, headers } = await fixture.call('PATCH', location, chunk(content, from, to));
        expect([status, headers.get('range')]).toEqual([202, `0-${to}`]);
        location = headers.get('location')!;
      }
      const { status } = await fixture.call('PUT', `${location}?digest=${digestOf(content)}`, last > 0 ? chunk(content, 3000, content.length - 1) : {});
      expect(status).toBe(201);
      expect(await pull(digestOf(content))).toEqual(content);
    });

    it('takes chunks of one upload at different replicas in turn', async () => {
      const content = randomBytes(5000);
      const location = await begin();
      for (let i = 0; i < 5; i++) expect((await fixture.call('PATCH', location, { ...chunk(content, i * 1000, i * 1000 + 999), replica: i % 2 })).status).toBe(202);
      expect((await fixture.call('PUT', `${location}?digest=${digestOf(content)}`, { replica: 1 })).status).toBe(201);
      expect(await pull(digestOf(content))).toEqual(content);
    });

    it('takes a stream without a length', async () => {
      const parts = [randomBytes(70_000), randomBytes(70_000)];
      const body = new ReadableStream<Uint8Array>({ start: (controller) => (parts.forEach((part) => controller.enqueue(part)), controller.close()) });
      const location = await begin();
      const { status, headers } = await fixture.call('PATCH', location, { body });
      expect([status, headers.get('range')]).toEqual([202, '0-139999']);
      const content = Buffer.concat(parts);
      expect((await fixture.call('PUT', `${location}?digest=${digestOf(content)}`)).status).toBe(201);
      expect(await pull(digestOf(content))).toEqual(content);
    });

    it('keeps JSON as it comes', async () => {
      const content = Buffer.from('{ "a":1 , "a":2 }\n');
      const location = await begin();
      await fixture.call('PATCH', location, { body: content, headers: { 'content-type': 'application/json' } });
      expect((await fixture.call('PUT', `${location}?digest=${digestOf(content)}`)).status).toBe(201);
      expect(await pull(digestOf(content))).toEqual(content);
    });

    it('takes an empty blob, and one that is there already', async () => {
      for (let i = 0; i < 2; i++) expect((await fixture.pushBlob(REPOSITORY, Buffer.alloc(0))).size).toBe(0);
      expect(await pull(digestOf(Buffer.alloc(0)))).toHaveLength(0);
    });

    it('refuses a chunk that does not go on where the upload stands, and says where that is', async () => {
      const content = randomBytes(3000);
      const location = await begin();
      await fixture.call('PATCH', location, chunk(content, 0, 999));
      for (const [method, from] of [['PATCH', 2000], ['PATCH', 0], ['PUT', 2000]] as const) {
        const query = method === 'PUT' ? `?digest=${digestOf(content)}` : '';
        const answer = await fixture.call(method, `${location}${query}`, chunk(content, from, from + 999));
        expect([answer.status, codesOf(answer), answer.headers.get('range'), answer.headers.get('location')]).toEqual([416, ['BLOB_UPLOAD_INVALID'], '0-999', location]);
      }
      const { status, headers } = await fixture.call('GET', location);
      expect([status, headers.get('range'), headers.get('location')]).toEqual([204, '0-999', location]);
      await fixture.call('PATCH', location, chunk(content, 1000, 2999));
      expect((await fixture.call('PUT', `${location}?digest=${digestOf(content)}`)).status).toBe(201);
    });

    it.each(['nonsense', '5-1', '0-', 'bytes 0-'])('refuses the Content-Range %s', async (range) => {
      const answer = await fixture.call('PATCH', await begin(), { body: randomBytes(2), headers: { 'content-range': range } });
      expect([answer.status, codesOf(answer)]).toEqual([400, ['BLOB_UPLOAD_INVALID']]);
    });

    it.each([9, 11])('refuses a chunk of %d bytes whose Content-Range says 10', async (bytes) => {
      const answer = await fixture.call('PATCH', await begin(), { body: randomBytes(bytes), headers: { 'content-range': '0-9' } });
      expect([answer.status, codesOf(answer)]).toEqual([400, ['SIZE_INVALID']]);
    });

    it('keeps nothing of bytes with another digest', async () => {
      const [content, other] = [randomBytes(100), digestOf(randomBytes(100))];
      const location = await begin();
      const put = await fixture.call('PUT', `${location}?digest=${other}`, { body: content });
      const post = await fixture.call('POST', `/v2/${REPOSITORY}/blobs/uploads/?digest=${other}`, { body: content });
      for (const answer of [put, post]) expect([answer.status, codesOf(answer)]).toEqual([400, ['DIGEST_INVALID']]);
      for (const digest of [other, digestOf(content)]) expect((await fixture.call('HEAD', `/v2/${REPOSITORY}/blobs/${digest}`)).status).toBe(404);
      expect((await fixture.call('GET', location)).status).toBe(404);
    });

    it('gives a blob to nobody who only knows its digest', async () => {
      const content = randomBytes(100);
      await fixture.pushBlob('default/private', content);
      const answer = await fixture.call('POST', `/v2/${REPOSITORY}/blobs/uploads/?digest=${digestOf(content)}`, { body: randomBytes(100) });
      expect([answer.status, codesOf(answer)]).toEqual([400, ['DIGEST_INVALID']]);
      expect((await fixture.call('GET', `/v2/${REPOSITORY}/blobs/${digestOf(content)}`)).status).toBe(404);
    });

    it.each(['sha256:abc', 'md5:00', ''])('refuses the digest "%s"', async (digest) => {
      const answer = await fixture.call('PUT', `${await begin()}?digest=${digest}`, { body: randomBytes(1) });
      expect([answer.status, codesOf(answer)]).toEqual([400, ['DIGEST_INVALID']]);
    });

    it('ends an upload that is cancelled', async () => {
      const location = await begin();
      await fixture.call('PATCH', location, { body: randomBytes(10) });
      expect((await fixture.call('DELETE', location)).status).toBe(204);
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        const answer = await fixture.call(method, location, method === 'PATCH' ? { body: randomBytes(1) } : {});
        expect([answer.status, codesOf(answer)]).toEqual([404, ['BLOB_UPLOAD_UNKNOWN']]);
      }
    });

    it('knows an upload in its own repository alone', async () => {
      const id = (await begin()).split('/').at(-1)!;
      await fixture.pushBlob('default/other', randomBytes(1));
      for (const path of [`default/other/blobs/uploads/${id}`, `${REPOSITORY}/blobs/uploads/nonsense`]) expect((await fixture.call('GET', `/v2/${path}`)).status).toBe(404);
    });

    it('goes on after a client that went in the middle of a chunk', async () => {
      const content = randomBytes(200_000);
      const location = await begin();
      const socket = connect(Number(fixture.host().split(':')[1]), '127.0.0.1');
      socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${fixture.adminToken}\r\nContent-Length: 200000\r\n\r\n`);
      socket.write(content.subarray(0, 100_000));
      await new Promise((resolve) => setTimeout(resolve, 300));
      socket.destroy();
      let there = -1;
      for (let i = 0; i < 50 && there < 0; i++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const last = Number((await fixture.call('GET', location)).headers.get('range')!.split('-')[1]);
        there = last > 0 ? last + 1 : -1;
      }
      expect(there).toBeGreaterThan(0);
      expect((await fixture.call('PATCH', location, chunk(content, there, content.length - 1))).status).toBe(202);
      expect((await fixture.call('PUT', `${location}?digest=${digestOf(content)}`)).status).toBe(201);
      expect(await pull(digestOf(content))).toEqual(content);
      // Who goes is nobody's fault.
      expect(fixture.logged.filter((line) => /"level":"(?:warn|error)"/.test(line))).toEqual([]);
    });

    it('lets one of two win that add at the same place', async () => {
      const content = randomBytes(1000);
      const location = await begin();
      const answers = await Promise.all([0, 1].map((replica) => fixture.call('PATCH', location, { ...chunk(content, 0, 999), replica })));
      expect(answers.map(({ status }) => status).sort()).toEqual([202, 416]);
      expect((await fixture.call('PUT', `${location}?digest=${digestOf(content)}`)).status).toBe(201);
    });
  });

  describe('mount', () => {
    const mount = (digest: string, from?: string, repository = 'default/mounts') =>
      fixture.call('POST', `/v2/${repository}/blobs/uploads/?mount=${digest}${from === undefined ? '' : `&from=${encodeURIComponent(from)}`}`);

    it.each([['the repository that it names', 'default/blobs'], ['one of the default organisation by its name alone', 'blobs'], ['wherever it is', undefined]])('takes a blob from %s', async (_what, from) => {
      const content = randomBytes(100);
      const { digest } = await fixture.pushBlob(REPOSITORY, content);
      const { status, headers } = await mount(digest, from);
      expect([status, headers.get('location'), headers.get('docker-content-digest')]).toEqual([201, `/v2/default/mounts/blobs/${digest}`, digest]);
      expect(await pull(digest, 'default/mounts')).toEqual(content);
    });

    it('begins an upload when there is no such blob there', async () => {
      const { digest } = await fixture.pushBlob('default/elsewhere', randomBytes(100));
      for (const answer of [await mount(UNKNOWN, REPOSITORY), await mount(UNKNOWN), await mount(digest, REPOSITORY), await mount(digest, 'default/none'), await mount(digest, 'library/a_b/c')]) {
        expect([answer.status, answer.headers.get('location')]).toEqual([202, expect.stringMatching(/^\/v2\/default\/mounts\/blobs\/uploads\/.+/)]);
      }
    });
  });

  describe('pull', () => {
    it('answers HEAD with the size and no body', async () => {
      const { digest } = await fixture.pushBlob(REPOSITORY, randomBytes(77));
      const { status, headers, body } = await fixture.call('HEAD', `/v2/${REPOSITORY}/blobs/${digest}`);
      expect([status, headers.get('content-length'), headers.get('docker-content-digest'), body.length]).toEqual([200, '77', digest, 0]);
    });

    it.each([
      ['bytes=500-1499', 500, 1499], ['bytes=500-', 500, 2047], ['bytes=-500', 1548, 2047], ['bytes=2000-5000', 2000, 2047], ['bytes=0-0', 0, 0], ['bytes=-5000', 0, 2047],
    ])('answers %s', async (range, from, to) => {
      const content = randomBytes(2048);
      const { digest } = await fixture.pushBlob(REPOSITORY, content);
      const { status, headers, body } = await fixture.call('GET', `/v2/${REPOSITORY}/blobs/${digest}`, { headers: { range } });
      expect([status, headers.get('content-range'), headers.get('content-length')]).toEqual([206, `bytes ${from}-${to}/2048`, String(to - from + 1)]);
      expect(body).toEqual(content.subarray(from, to + 1));
    });

    it.each(['bytes=500-0', 'bytes=5000-10000', 'bytes=2048-', 'bytes=-0'])('refuses %s', async (range) => {
      const { digest } = await fixture.pushBlob(REPOSITORY, randomBytes(2048));
      const { status, headers } = await fixture.call('GET', `/v2/${REPOSITORY}/blobs/${digest}`, { headers: { range } });
      expect([status, headers.get('content-range')]).toEqual([416, 'bytes */2048']);
    });

    it.each<Record<string, string>>([{ range: 'bytes=0-1,5-6' }, { range: 'lines=0-1' }, { range: 'bytes=0-1', 'if-range': '"another"' }])('answers the whole blob for %o', async (headers) => {
      const { digest } = await fixture.pushBlob(REPOSITORY, randomBytes(100));
      const { status, body } = await fixture.call('GET', `/v2/${REPOSITORY}/blobs/${digest}`, { headers });
      expect([status, body.length]).toEqual([200, 100]);
    });

    it('answers 304 to one who has it', async () => {
      const { digest } = await fixture.pushBlob(REPOSITORY, randomBytes(10));
      expect((await fixture.call('GET', `/v2/${REPOSITORY}/blobs/${digest}`, { headers: { 'if-none-match': `"${digest}"` } })).status).toBe(304);
    });

    it.each([
      [UNKNOWN, REPOSITORY, 404, 'BLOB_UNKNOWN'], [UNKNOWN, 'default/nobody', 404, 'NAME_UNKNOWN'], [UNKNOWN, 'nobody/blobs', 404, 'NAME_UNKNOWN'], ['sha256:00', REPOSITORY, 400, 'DIGEST_INVALID'],
      [UNKNOWN, 'Default/blobs', 400, 'NAME_INVALID'], [UNKNOWN, 'a/b/c', 400, 'NAME_INVALID'], [UNKNOWN, 'a--b', 400, 'NAME_INVALID'], [UNKNOWN, '..%2f..%2fetc', 400, 'NAME_INVALID'],
    ])('answers %s in %s with %d %s', async (digest, repository, status, code) => {
      const answer = await fixture.call('GET', `/v2/${repository}/blobs/${digest}`);
      expect([answer.status, codesOf(answer)]).toEqual([status, [code]]);
    });

    it('refuses to begin an upload in an organisation that is not there', async () => {
      const answer = await fixture.call('POST', '/v2/nobody/blobs/blobs/uploads/');
      expect([answer.status, codesOf(answer)]).toEqual([404, ['NAME_UNKNOWN']]);
    });

    it('knows a repository of the default organisation by its name alone', async () => {
      const content = randomBytes(10);
      const { digest } = await fixture.pushBlob('short', content);
      expect(await pull(digest, 'short')).toEqual(content);
      expect(await pull(digest, 'default/short')).toEqual(content);
    });
  });

  describe('delete', () => {
    it('takes a blob away from one repository alone', async () => {
      const content = randomBytes(10);
      const { digest } = await fixture.pushBlob(REPOSITORY, content);
      await fixture.pushBlob('default/keeps', content);
      expect((await fixture.call('DELETE', `/v2/${REPOSITORY}/blobs/${digest}`)).status).toBe(202);
      expect((await fixture.call('HEAD', `/v2/${REPOSITORY}/blobs/${digest}`)).status).toBe(404);
      expect(codesOf(await fixture.call('DELETE', `/v2/${REPOSITORY}/blobs/${digest}`))).toEqual(['BLOB_UNKNOWN']);
      expect(await pull(digest, 'default/keeps')).toEqual(content);
    });

    it('refuses to take what a manifest names', async () => {
      const { document: { layers } } = await fixture.pushImage(REPOSITORY, 'named');
      const answer = await fixture.call('DELETE', `/v2/${REPOSITORY}/blobs/${layers[0]!.digest}`);
      expect([answer.status, codesOf(answer)]).toEqual([405, ['DENIED']]);
      expect(await pull(layers[0]!.digest)).toHaveLength(100);
    });
  });

  it('says to retry while the database is away, and goes on where an upload stood', async () => {
    const content = randomBytes(2000);
    const location = await begin();
    await fixture.call('PATCH', location, chunk(content, 0, 999));
    await fixture.stopDatabase();
    try {
      for (const [method, path] of [['PATCH', location], ['POST', `/v2/${REPOSITORY}/blobs/uploads/`], ['GET', `/v2/${REPOSITORY}/tags/list`]] as const) {
        const answer = await fixture.call(method, path, method === 'PATCH' ? chunk(content, 1000, 1999) : {});
        expect([answer.status, codesOf(answer), answer.headers.get('retry-after')]).toEqual([503, ['UNAVAILABLE'], '1']);
      }
    } finally {
      await fixture.startDatabase();
    }
    expect((await fixture.call('PATCH', location, chunk(content, 1000, 1999))).status).toBe(202);
    expect((await fixture.call('PUT', `${location}?digest=${digestOf(content)}`)).status).toBe(201);
    expect(await pull(digestOf(content))).toEqual(content);
  });

  it('asks for a blob again whose bytes are lost', async () => {
    const content = randomBytes(100);
    const { digest } = await fixture.pushBlob(REPOSITORY, content);
    const { BlobStorage } = await import('#registry/storage/blob-storage.js');
    await fixture.plane().get(BlobStorage).delete(digest as never);
    expect((await fixture.call('HEAD', `/v2/${REPOSITORY}/blobs/${digest}`)).status).toBe(404);
    await fixture.pushBlob(REPOSITORY, content);
    expect(await pull(digest)).toEqual(content);
  });
});
