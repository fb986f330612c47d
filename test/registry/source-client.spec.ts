import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { packBundle } from '#contract/bundle/pack.js';
import { Digest } from '#contract/ids.js';
import { SourceClient } from '#registry/service/source-client.js';
import { buildWat } from '../fixtures/build-wat.js';
import { inChunks, openRegistry } from './registry-fixture.js';

const never = new AbortController().signal;
const content = Buffer.from('the bytes of a component');
const digest = Digest.parse(`sha256:${createHash('sha256').update(content).digest('hex')}`);

/** What a source's server may do, by path. */
const answers: Record<string, (response: ServerResponse, request: IncomingMessage) => void> = {
  '/ok': (response) => response.end(content),
  '/gone': (response) => response.writeHead(404).end(),
  '/moved': (response) => response.writeHead(302, { location: '/ok' }).end(),
  '/round': (response) => response.writeHead(302, { location: '/round' }).end(),
  '/nowhere': (response) => response.writeHead(302).end(),
  '/metadata': (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
  '/file': (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/other': (response) => response.end('other bytes'),
  '/large': (response) => response.end(Buffer.alloc(100_000)),
  '/cut': (response) => response.writeHead(200, { 'content-length': '1000' }).write('only this', () => response.destroy()),
  '/slow': (response) => void response.write('a'),
};

let server: Server;
let origin: string;
let folder: string;
let wasm: Uint8Array;
beforeAll(async () => {
  wasm = await buildWat('loop');
  server = createServer((request, response) => (request.url === '/wasm' ? response.end(wasm) : answers[request.url!]!(response, request)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whorl-source-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe(SourceClient.name, () => {
  let client: SourceClient;
  beforeEach(() => {
    client = new SourceClient({ maxBytes: 10_000, allowPrivate: true, timeoutMs: 500 });
  });
  afterEach(() => client.close());
  const fetch = (path: string, signal = never) => client.fetch(`${origin}${path}`, digest, join(folder, 'source'), signal);

  it.each(['/ok', '/moved'])('writes what is at %s', async (path) => {
    expect(await fetch(path)).toEqual({ bytes: content.length });
    expect(await readFile(join(folder, 'source'))).toEqual(content);
  });

  it.each([
    ['/gone', 'REGISTRY_SOURCE_UNREACHABLE', /answers 404/],
    ['/round', 'REGISTRY_SOURCE_UNREACHABLE', /redirects more than 5 times/],
    ['/nowhere', 'REGISTRY_SOURCE_UNREACHABLE', /without a place to go to/],
    ['/metadata', 'REGISTRY_SOURCE_REFUSED', /169\.254\.169\.254 is an address that may not be fetched from/],
    ['/file', 'REGISTRY_SOURCE_REFUSED', /file:\/\/\/etc\/passwd is no http\(s\) URL/],
    ['/other', 'REGISTRY_SOURCE_MISMATCH', /gives sha256:[0-9a-f]+, the manifest says/],
    ['/large', 'REGISTRY_SOURCE_MISMATCH', /more than the 10000 bytes/],
    ['/cut', 'REGISTRY_SOURCE_UNREACHABLE', /cannot be fetched/],
    ['/slow', 'REGISTRY_SOURCE_UNREACHABLE', /not fetched within 500 ms/],
  ])('refuses %s and leaves no file', async (path, code, message) => {
    await expect(fetch(path)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(existsSync(join(folder, 'source'))).toBe(false);
  });

  it('names a host that does not answer', async () => {
    await expect(client.fetch('http://127.0.0.1:1/x', digest, join(folder, 'source'), never)).rejects.toMatchObject({ code: 'REGISTRY_SOURCE_UNREACHABLE', message: expect.stringMatching(/^http:\/\/127\.0\.0\.1:1\/x cannot be fetched: /) });
  });

  it('stops when it is aborted', async () => {
    const gone = new AbortController();
    setTimeout(() => gone.abort(new Error('gone')), 50);
    await expect(fetch('/slow', gone.signal)).rejects.toThrow('gone');
  });

  it.each(['127.0.0.1', 'localhost'])('reaches no private address unless the operator allows it: %s', async (host) => {
    const strict = new SourceClient({ maxBytes: 10_000, allowPrivate: false, timeoutMs: 500 });
    await expect(strict.fetch(`${origin.replace('127.0.0.1', host)}/ok`, digest, join(folder, 'source'), never)).rejects.toMatchObject({ code: 'REGISTRY_SOURCE_REFUSED' });
    await strict.close();
  });
});

describe('a bundle with a source by URL', () => {
  it('is fetched once, and from the store afterwards', async () => {
    const under = await openRegistry();
    const bundle = (path: string, name: string) => packBundle([{
      path: 'spin.toml',
      content: Buffer.from(`spin_manifest_version = 2\n[application]\nname = "${name}"\n[[trigger.http]]\nroute = "/"\ncomponent = "main"\n[component.main]\nsource = { url = "${origin}${path}", digest = "sha256:${createHash('sha256').update(wasm).digest('hex')}" }\n`),
    }]);
    const { app } = await under.registry.ingest(inChunks(await bundle('/wasm', 'a')), never);
    expect(app.components[0]!.sourceBytes).toBe(wasm.length);
    expect(await under.storage.find(app.components[0]!.source)).toMatchObject({ bytes: wasm.length });
    expect((await under.registry.ingest(inChunks(await bundle('/gone', 'b')), never)).app.components[0]!.sourceBytes).toBe(wasm.length);
    await under.storage.delete(app.components[0]!.source);
    await expect(under.registry.ingest(inChunks(await bundle('/gone', 'c')), never)).rejects.toMatchObject({ code: 'REGISTRY_SOURCE_UNREACHABLE' });
    expect(await under.leftovers()).toEqual([]);
    await under.close();
  });
});
