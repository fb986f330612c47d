import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildWat } from '../../fixtures/build-wat.js';
import { StrangeRegistry } from '../client/strange-registry.js';
import { type RegistryUnderTest, openRegistry } from '../registry-fixture.js';
import { digestOf, spinImage, type TestImage } from './image.fixture.js';

/** What is fetched of another registry's image, and what is taken out of the store. */

const never = new AbortController().signal;

let remote: StrangeRegistry;
let under: RegistryUnderTest;
let wasm: Uint8Array;
beforeAll(async () => {
  [remote, wasm] = await Promise.all([StrangeRegistry.start(), buildWat('loop')]);
  under = await openRegistry({ reach: { insecureOrigins: [remote.origin] } });
});
afterAll(async () => {
  await under.close();
  await remote.stop();
});

/** Puts an image there; of what is `hidden` the registry says that it has it, and sends nothing. */
function serve(tag: string, { manifest, blobs }: TestImage, hidden: Uint8Array[] = []): void {
  remote.manifest('acme/far', tag, manifest.toString());
  for (const { content } of blobs) {
    remote.on(`/v2/acme/far/blobs/${digestOf(content)}`, (response, { method }) => {
      if (method === 'HEAD') response.writeHead(200, { 'content-length': String(content.length) }).end();
      else if (hidden.includes(content)) response.writeHead(404).end();
      else response.writeHead(200, { 'content-length': String(content.length) }).end(content);
    });
  }
}
const fetches = (content: Uint8Array) => remote.askedFor(digestOf(content)).filter(({ method }) => method === 'GET').length;
const take = (tag: string, held?: Uint8Array[]) => under.registry.ingestImage(`${remote.host}/acme/far:${tag}`, { app: 'far', hosts: [], ...(held && { held: async () => new Set<string>(held.map((each) => digestOf(each))) }) }, never);

describe("bytes of another registry's image", () => {
  it('are not fetched again when the organisation has them', async () => {
    const [page, added] = [randomBytes(400), randomBytes(400)];
    serve('1', spinImage({ components: { main: wasm }, files: { '/page': page } }));
    await take('1', []);
    expect([fetches(wasm), fetches(page)]).toEqual([1, 1]);
    serve('2', spinImage({ components: { main: wasm }, files: { '/page': page, '/added': added } }));
    const { app } = await take('2', [wasm, page]);
    expect([fetches(wasm), fetches(page), fetches(added)]).toEqual([1, 1, 1]);
    expect(app.components[0]!.files.map(({ digest }) => digest).sort()).toEqual([digestOf(page), digestOf(added)].sort());
  });

  it("are not taken from others on the registry's word alone", async () => {
    const secret = randomBytes(400);
    await under.storage.put({ digest: digestOf(secret) as never, bytes: secret.length }, async function* () {
      yield secret;
    });
    serve('thief', spinImage({ components: { main: wasm }, files: { '/secret': secret } }), [secret]);
    await expect(take('thief')).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNKNOWN' });
    await expect(take('thief', [])).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNKNOWN' });
    expect(await under.leftovers()).toEqual([]);
  });
});
