import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Described, IMAGE, INDEX, OciFixture, codesOf, digestOf } from './oci.fixture.js';

interface Index {
  schemaVersion: number;
  mediaType: string;
  manifests: (Described & { artifactType?: string; annotations?: Record<string, string> })[];
}

describe('listings of the OCI registry', () => {
  let fixture: OciFixture;
  beforeAll(async () => {
    fixture = await OciFixture.start();
  });
  afterAll(() => fixture.stop());

  describe('tags', () => {
    const REPOSITORY = 'default/tags';
    const TAGS = ['1.10', '1.9', 'B', '_x', 'a', 'a-b', 'a.b', 'aB', 'b'];
    beforeAll(async () => {
      const { document } = await fixture.pushImage(REPOSITORY, 'b');
      for (const tag of TAGS) await fixture.pushManifest(REPOSITORY, tag, document);
    });
    const list = async (query = '', repository = REPOSITORY): Promise<{ tags: string[]; next: string | null }> => {
      const answer = await fixture.call('GET', `/v2/${repository}/tags/list${query}`);
      expect(answer.status).toBe(200);
      expect(answer.json<{ name: string }>().name).toBe(repository);
      const link = answer.headers.get('link');
      return { tags: answer.json<{ tags: string[] }>().tags, next: link && /^<([^>]+)>; rel="next"$/.exec(link)![1]! };
    };

    it('has all of them in the order of bytes', async () => {
      expect(await list()).toEqual({ tags: TAGS, next: null });
      expect((await list('', 'tags')).tags).toEqual(TAGS);
    });

    it('has pages that lead to one another', async () => {
      const seen: string[] = [];
      let pages = 0;
      for (let next: string | null = `/v2/${REPOSITORY}/tags/list?n=4`; next !== null; pages++) {
        const page = await list(next.slice(`/v2/${REPOSITORY}/tags/list`.length));
        seen.push(...page.tags);
        next = page.next;
      }
      expect([seen, pages]).toEqual([TAGS, 3]);
    });

    it.each([['?last=a', TAGS.slice(5)], ['?last=aA', TAGS.slice(7)], ['?n=2&last=B', ['_x', 'a']], ['?n=100', TAGS], ['?n=9', TAGS], ['?last=zzz', []], ['?n=0', []]])('answers %s', async (query, tags) => {
      expect((await list(query)).tags).toEqual(tags);
    });

    it('has no next page after none or all of them', async () => {
      for (const query of ['?n=0', '?n=9', '?n=3&last=aB']) expect((await list(query)).next).toBeNull();
    });

    it.each(['?n=-1', '?n=many', '?last=%00'])('refuses %s', async (query) => {
      const answer = await fixture.call('GET', `/v2/${REPOSITORY}/tags/list${query}`);
      expect(answer.status).toBe(400);
    });

    it('is empty for a repository without tags, and 404 for none', async () => {
      await fixture.pushBlob('default/untagged', Buffer.from('x'));
      expect(await list('', 'default/untagged')).toEqual({ tags: [], next: null });
      const answer = await fixture.call('GET', '/v2/default/none/tags/list');
      expect([answer.status, codesOf(answer)]).toEqual([404, ['NAME_UNKNOWN']]);
    });
  });

  describe('referrers', () => {
    const REPOSITORY = 'default/referrers';
    let subject: Described;
    let config: Described;
    beforeAll(async () => {
      const { mediaType, digest, size } = await fixture.pushImage(REPOSITORY, 'subject');
      subject = { mediaType, digest, size };
      config = await fixture.pushBlob(REPOSITORY, Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
    });
    const attach = async (document: object, mediaType = IMAGE, repository = REPOSITORY): Promise<{ digest: string; size: number; subject: string | null }> => {
      const text = JSON.stringify({ schemaVersion: 2, mediaType, ...document });
      const digest = digestOf(Buffer.from(text));
      const { status, headers } = await fixture.call('PUT', `/v2/${repository}/manifests/${digest}`, { body: text, headers: { 'content-type': mediaType } });
      expect(status).toBe(201);
      return { digest, size: text.length, subject: headers.get('oci-subject') };
    };
    const list = async (digest: string, query = '', repository = REPOSITORY): Promise<Index & { filters: string | null; next: string | null }> => {
      const answer = await fixture.call('GET', `/v2/${repository}/referrers/${digest}${query}`);
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, INDEX]);
      const next = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? null;
      return { ...answer.json<Index>(), filters: answer.headers.get('oci-filters-applied'), next };
    };

    it('lists images and indexes with artifact type and annotations', async () => {
      const annotations = { 'org.example.format': 'json', text: 'zero \u0000 and "quotes"' };
      const signature = await attach({ config, layers: [], artifactType: 'application/vnd.example.signature', subject, annotations });
      const image = await attach({ config, layers: [], subject });
      const typed = await attach({ manifests: [], artifactType: 'application/vnd.example.sbom', subject, annotations: {} }, INDEX);
      const untyped = await attach({ manifests: [], subject }, INDEX);
      expect(signature.subject).toBe(subject.digest);
      const { manifests, ...rest } = await list(subject.digest);
      expect(rest).toEqual({ schemaVersion: 2, mediaType: INDEX, filters: null, next: null });
      const descriptor = ({ digest, size }: { digest: string; size: number }, mediaType: string): object => ({ mediaType, digest, size });
      expect(manifests).toHaveLength(4);
      expect(manifests).toEqual(expect.arrayContaining([
        { ...descriptor(signature, IMAGE), artifactType: 'application/vnd.example.signature', annotations },
        { ...descriptor(image, IMAGE), artifactType: config.mediaType },
        { ...descriptor(typed, INDEX), artifactType: 'application/vnd.example.sbom', annotations: {} },
        descriptor(untyped, INDEX),
      ]));
    });

    it('filters by artifact type and says so', async () => {
      const { manifests, filters } = await list(subject.digest, '?artifactType=application/vnd.example.sbom');
      expect([manifests.map(({ artifactType }) => artifactType), filters]).toEqual([['application/vnd.example.sbom'], 'artifactType']);
      expect(await list(subject.digest, '?artifactType=nothing')).toMatchObject({ manifests: [], filters: 'artifactType' });
    });

    it('finds a type with a plus sign, encoded or not', async () => {
      const signed = digestOf(Buffer.from('signed'));
      await attach({ config, layers: [], subject: { ...subject, digest: signed }, artifactType: 'application/vnd.example+json' });
      for (const type of ['application/vnd.example+json', 'application%2Fvnd.example%2Bjson']) expect((await list(signed, `?artifactType=${type}`)).manifests).toHaveLength(1);
    });

    it('takes what refers to a manifest that is not there yet', async () => {
      const later = digestOf(Buffer.from('later'));
      const { digest } = await attach({ config, layers: [], subject: { ...subject, digest: later } });
      expect((await list(later)).manifests.map((each) => each.digest)).toEqual([digest]);
    });

    it('goes on in pages when there is much to say', async () => {
      const popular = digestOf(Buffer.from('popular'));
      const digests: string[] = [];
      for (let i = 0; i < 4; i++) digests.push((await attach({ config, layers: [], subject: { ...subject, digest: popular }, annotations: { fill: `${i}`.repeat(1_000_000) } })).digest);
      const seen: string[] = [];
      let pages = 0;
      for (let next: string | null = ''; next !== null; pages++) {
        const page: Awaited<ReturnType<typeof list>> = await list(popular, next.slice(next.indexOf('?') < 0 ? 0 : next.indexOf('?')));
        seen.push(...page.manifests.map(({ digest }) => digest));
        next = page.next;
      }
      expect([seen, pages]).toEqual([digests.sort(), 2]);
    });

    it('forgets one that is deleted', async () => {
      const gone = digestOf(Buffer.from('gone'));
      const { digest } = await attach({ config, layers: [], subject: { ...subject, digest: gone } });
      await fixture.call('DELETE', `/v2/${REPOSITORY}/manifests/${digest}`);
      expect((await list(gone)).manifests).toEqual([]);
    });

    it('keeps them when their subject is deleted', async () => {
      const { digest, mediaType, size } = await fixture.pushImage(REPOSITORY, 'short-lived');
      await attach({ config, layers: [], subject: { mediaType, digest, size } });
      await fixture.call('DELETE', `/v2/${REPOSITORY}/manifests/${digest}`);
      expect((await list(digest)).manifests).toHaveLength(1);
    });

    it('is empty for what has none, also in a repository that is not there', async () => {
      for (const repository of [REPOSITORY, 'default/none', 'nobody/none']) expect((await list(digestOf(Buffer.from('none')), '', repository)).manifests).toEqual([]);
    });

    it.each(['latest', 'sha256:1', `${digestOf(Buffer.from('x'))}?artifactType=%00`])('refuses %s', async (reference) => {
      expect((await fixture.call('GET', `/v2/${REPOSITORY}/referrers/${reference}`)).status).toBe(400);
    });
  });
});
