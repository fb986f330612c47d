import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { artifactOf, ask, Blobs, httpTrigger, raw, TestFront, type Built } from './front-fixture.js';

/** Built by `node examples/hello-js/build.mjs`, which needs the guest toolchain. */
const HELLO = new URL('../../examples/hello-js/hello-js.wasm', import.meta.url);

(existsSync(HELLO) ? describe : describe.skip)('a JavaScript app behind the front', () => {
  const blobs = new Blobs();
  const fronts: TestFront[] = [];
  let hello: Built;

  beforeAll(async () => {
    hello = await blobs.build(readFileSync(HELLO));
  });
  afterEach(async () => {
    for (const front of fronts.splice(0)) await front.close();
  });
  afterAll(() => blobs.remove());

  async function setUp(route = '/...'): Promise<TestFront> {
    const front = await new TestFront(blobs).listen();
    fronts.push(front);
    await front.deploy('hello', artifactOf(1, { main: hello }, [httpTrigger('all', route, { component: 'main' })]));
    return front;
  }

  it('answers, and what it prints is in the log with the request', async () => {
    const front = await setUp();
    expect(await ask(front.port, 'hello.localhost', '/hello/ada')).toMatchObject({ status: 200, body: 'hello, ada\n' });
    expect(front.logs()).toEqual([expect.objectContaining({ stream: 'stdout', line: 'greeted ada', component: 'main', requestId: expect.stringMatching(/^w1-[0-9a-z-]+$/) })]);
  });

  it('gets exactly Spin\'s header fields once each, whatever the client sends', async () => {
    const front = await setUp('/...');
    const { body } = await ask(front.port, 'hello.localhost:3000', '/headers?x=1', {
      headers: { 'spin-path-info': 'forged', spin_client_addr: 'forged', 'whorl-app': 'forged', 'x-own': 'kept', connection: 'x-gone', 'x-gone': '1', te: 'trailers' },
    });
    const headers = JSON.parse(body) as Record<string, string>;
    expect(Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('spin')))).toEqual({
      'spin-path-info': '/headers',
      'spin-full-url': 'http://hello.localhost:3000/headers?x=1',
      'spin-matched-route': '/...',
      'spin-base-path': '/',
      'spin-raw-component-route': '/...',
      'spin-component-route': '',
      'spin-client-addr': expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    expect(headers).toMatchObject({ host: 'hello.localhost:3000', 'x-own': 'kept' });
    expect(Object.keys(headers).filter((name) => /^(connection|x-gone|te|whorl-.*|keep-alive)$/.test(name))).toEqual([]);
  });

  it('streams 8 MB through, byte for byte, and counts them', async () => {
    const front = await setUp();
    const sent = randomBytes(8 * 2 ** 20);
    const got = createHash('sha256');
    let bytes = 0;
    await new Promise<void>((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port: front.port, path: '/echo', method: 'POST', headers: { host: 'hello.localhost' } }, (response) => {
        response.on('data', (chunk: Buffer) => {
          got.update(chunk);
          bytes += chunk.length;
        });
        response.on('end', resolve);
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(sent);
    });
    expect(bytes).toBe(sent.length);
    expect(got.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
    expect(front.usage()).toMatchObject({ requests: 1, errors: 0, bytesIn: sent.length, bytesOut: sent.length });
  });

  it('answers while the request still comes in', async () => {
    const front = await setUp();
    const first = await new Promise<string>((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port: front.port, path: '/echo', method: 'POST', headers: { host: 'hello.localhost' } }, (response) => {
        response.once('data', (chunk: Buffer) => {
          resolve(chunk.toString());
          request.end();
        });
        response.resume();
      });
      request.on('error', reject);
      request.write('first');
    });
    expect(first).toBe('first');
  });

  it('asks for the body of a client that waits for 100 Continue', async () => {
    const front = await setUp();
    const head = 'POST /echo HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n';
    const text = await new Promise<string>((resolve) => {
      let all = '';
      const socket = connect(front.port, '127.0.0.1', () => socket.write(head));
      socket.on('data', (chunk) => {
        if (all === '' && chunk.toString().startsWith('HTTP/1.1 100')) socket.write('body');
        all += chunk.toString();
      });
      socket.on('close', () => resolve(all));
    });
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(text).toContain('body');
  });

  it('does not ask for a body that nobody reads, and closes then', async () => {
    const front = await setUp();
    const text = await raw(front.port, 'POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
  });

  it('stops a guest whose client hung up, and counts it as no error', async () => {
    const front = await setUp();
    await new Promise<void>((resolve) => {
      const socket = connect(front.port, '127.0.0.1', () => {
        socket.write('POST /echo HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n');
        socket.once('data', () => {
          socket.destroy();
          resolve();
        });
      });
    });
    for (let i = 0; i < 50 && front.usage().requests === 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(front.usage()).toMatchObject({ requests: 1, errors: 0 });
    expect((await ask(front.port, 'hello.localhost')).status).toBe(200);
  });

  it('lets requests finish in a drain', async () => {
    const front = await setUp();
    let finish: () => void = () => undefined;
    const answer = new Promise<{ status: number; body: string }>((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port: front.port, path: '/echo', method: 'POST', agent: false, headers: { host: 'hello.localhost' } }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => { body += chunk.toString(); });
        response.on('end', () => resolve({ status: response.statusCode!, body }));
      });
      request.on('error', reject);
      request.write('one ');
      finish = () => request.end('two');
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { port } = front;
    const drained = front.front.drain(5_000);
    await expect(ask(port, 'hello.localhost')).rejects.toThrow(/ECONNREFUSED/);
    finish();
    expect(await answer).toEqual({ status: 200, body: 'one two' });
    await drained;
  });
});
