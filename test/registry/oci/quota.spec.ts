import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OciFixture, codesOf, digestOf } from './oci.fixture.js';

const REPOSITORY = 'default/quota';
const LIMIT_BYTES = 1_000_000;
const uploadsIn = `/v2/${REPOSITORY}/blobs/uploads/`;

/** What an organisation has is added up once in a while. */
const lookedAgain = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2_100));

describe('the quota of an organisation in the OCI registry', () => {
  let fixture: OciFixture;
  beforeAll(async () => {
    fixture = await OciFixture.start({ WHORL_ORG_STORAGE_BYTES: String(LIMIT_BYTES) });
    await fixture.pushBlob(REPOSITORY, randomBytes(600_000));
    await lookedAgain();
  });
  afterAll(() => fixture.stop());

  const begin = async (): Promise<string> => (await fixture.call('POST', uploadsIn)).headers.get('location')!;
  const content = randomBytes(600_000);
  const stream = (): ReadableStream<Uint8Array> => new Blob([content]).stream();

  it.each([
    ['a PUT', async () => fixture.call('PUT', `${await begin()}?digest=${digestOf(content)}`, { body: content })],
    ['a POST', async () => fixture.call('POST', `${uploadsIn}?digest=${digestOf(content)}`, { body: content })],
    ['a chunk', async () => fixture.call('PATCH', await begin(), { body: content, headers: { 'content-range': '0-599999' } })],
    ['a stream', async () => fixture.call('PATCH', await begin(), { body: stream() })],
    ['a POST without a length', async () => fixture.call('POST', `${uploadsIn}?digest=${digestOf(content)}`, { body: stream() })],
  ])('refuses what does not fit any more: %s', async (_how, send) => {
    const answer = await send();
    expect([answer.status, codesOf(answer)]).toEqual([507, ['DENIED']]);
    expect((await fixture.call('HEAD', `/v2/${REPOSITORY}/blobs/${digestOf(content)}`)).status).toBe(404);
  });

  it('takes what fits', async () => {
    expect((await fixture.pushBlob(REPOSITORY, randomBytes(1000))).size).toBe(1000);
  });

  it('counts uploads as far as they have come', async () => {
    await lookedAgain();
    const location = await begin();
    expect((await fixture.call('PATCH', location, { body: randomBytes(300_000) })).status).toBe(202);
    expect(await fixture.sql('SELECT bytes FROM repository_upload WHERE id = $1', [location.split('/').at(-1)])).toEqual([{ bytes: '300000' }]);
    await lookedAgain();
    const answer = await fixture.call('PATCH', await begin(), { body: randomBytes(300_000) });
    expect(answer.status).toBe(507);
    await fixture.call('DELETE', location);
  });
});
