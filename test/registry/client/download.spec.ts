import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ResolvedImage } from '#registry/artifact/image-source.js';
import { RemoteImageSource } from '#registry/client/remote-image-source.js';
import { ImageSources } from './open-images.js';
import { digestOf, manifestOf, sendRange, StrangeRegistry } from './strange-registry.js';

const never = new AbortController().signal;
const content = randomBytes(300_000);
const blob = { digest: digestOf(content), bytes: content.length };
const path = `/v2/acme/shop/blobs/${blob.digest}`;

let registry: StrangeRegistry;
const images = new ImageSources();
let source: RemoteImageSource;
let image: ResolvedImage;
let folder: string;
let file: string;
beforeEach(async () => {
  registry = await StrangeRegistry.start();
  source = await images.open({ insecureOrigins: [registry.origin] });
  registry.manifest('acme/shop', '1', manifestOf(content));
  image = await source.resolve(`${registry.host}/acme/shop:1`, never);
  folder = await mkdtemp(join(tmpdir(), 'whorl-client-'));
  file = join(folder, 'blob');
});
afterEach(async () => {
  await images.close();
  await registry.stop();
  await rm(folder, { recursive: true });
});
const fetch = (signal = never, what = blob) => source.fetchBlob(image, what, file, signal);

describe(RemoteImageSource.name, () => {
  it('writes a blob that has its digest', async () => {
    registry.on(path, (response) => response.end(content));
    await fetch();
    expect(content.equals(await readFile(file))).toBe(true);
  });

  it('verifies sha512 too', async () => {
    const wide = { digest: digestOf(content, 'sha512'), bytes: content.length };
    registry.on(`/v2/acme/shop/blobs/${wide.digest}`, (response) => response.end(content));
    await fetch(never, wide);
    expect(content.equals(await readFile(file))).toBe(true);
  });

  it('goes on where a download broke, as often as it gets on', async () => {
    const breaks = [100_000, 200_000, 299_999];
    registry.on(path, (response, asked) => sendRange(response, content, asked, breaks.shift()));
    await fetch();
    expect(content.equals(await readFile(file))).toBe(true);
    const [whole, ...rest] = registry.askedFor(path).map(({ range }) => range);
    expect(whole).toBeUndefined();
    expect(rest).toHaveLength(3);
    expect(rest.every((range) => Number(/^bytes=(\d+)-$/.exec(range!)![1]) > 0)).toBe(true);
  });

  it('begins anew where the server knows no ranges', async () => {
    let times = 0;
    registry.on(path, (response) => (++times === 1 ? sendRange(response, content, { range: undefined } as never, 150_000) : response.end(content)));
    await fetch();
    expect(times).toBe(2);
    expect(content.equals(await readFile(file))).toBe(true);
  });

  it('goes on after a body that ends too early without an error', async () => {
    let times = 0;
    registry.on(path, (response, asked) => (++times === 1 ? void response.writeHead(200, { 'transfer-encoding': 'chunked' }).end(content.subarray(0, 50_000)) : sendRange(response, content, asked)));
    await fetch();
    expect(registry.askedFor(path).map(({ range }) => range)).toEqual([undefined, 'bytes=50000-']);
    expect(content.equals(await readFile(file))).toBe(true);
  });

  it.each([
    ['other bytes', (bytes: Buffer) => Buffer.concat([bytes.subarray(1), Buffer.from('x')]), /are sha256:/],
    ['more bytes', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')]), /should have 300000 bytes, .* sends more/],
  ])('refuses %s than the digest says and leaves no file', async (_what, change, message) => {
    registry.on(path, (response) => response.end(change(content)));
    await expect(fetch()).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_MISMATCH', message: expect.stringMatching(message) });
    expect(existsSync(file)).toBe(false);
  });

  it('refuses a range that is not the one it asked for', async () => {
    registry.on(path, (response, asked) => (asked.range ? response.writeHead(206, { 'content-range': 'bytes 299000-299999/300000' }).end(content.subarray(299_000)) : sendRange(response, content, asked, 1000)));
    await expect(fetch()).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE', message: expect.stringMatching(/answers 206 when asked for a blob from byte \d+ on/) });
    expect(existsSync(file)).toBe(false);
  });

  it('gives up on a download that never gets on, and says how far it came', async () => {
    registry.on(path, (response, asked) => (asked.range ? response.destroy() : sendRange(response, content, asked, 1000)));
    await expect(fetch()).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE' });
    expect(registry.askedFor(path).length).toBeLessThanOrEqual(6);
  });

  it('tells a blob that is gone from one that is there', async () => {
    registry.on(path, (response) => response.writeHead(200, { 'content-length': String(content.length) }).end());
    expect(await source.hasBlob(image, blob, never)).toBe(true);
    expect(await source.hasBlob(image, { ...blob, bytes: 1 }, never)).toBe(false);
    const gone = { digest: digestOf('gone'), bytes: 4 };
    expect(await source.hasBlob(image, gone, never)).toBe(false);
    await expect(fetch(never, gone)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNKNOWN', message: expect.stringContaining('nothing of that name') });
  });

  it('writes over nothing that is there already', async () => {
    await writeFile(file, 'mine');
    registry.on(path, (response) => response.end(content));
    await expect(fetch()).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readFile(file, 'utf8')).toBe('mine');
  });

  it('fetches layers side by side, over six connections at most', async () => {
    const layers = Array.from({ length: 20 }, () => randomBytes(10_000));
    let [open, most] = [0, 0];
    for (const layer of layers) {
      registry.on(`/v2/acme/shop/blobs/${digestOf(layer)}`, (response) => {
        most = Math.max(most, ++open);
        setTimeout(() => response.end(layer, () => void open--), 10);
      });
    }
    await Promise.all(layers.map((layer, at) => source.fetchBlob(image, { digest: digestOf(layer), bytes: layer.length }, `${file}-${at}`, never)));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(6);
  });

  it('stops when it is aborted, and leaves no file', async () => {
    registry.on(path, (response) => void response.write('a'));
    const gone = new AbortController();
    setTimeout(() => gone.abort(new Error('gone')), 50);
    await expect(fetch(gone.signal)).rejects.toThrow('gone');
    expect(existsSync(file)).toBe(false);
  });
});
