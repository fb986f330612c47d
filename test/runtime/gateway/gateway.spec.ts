import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { type IncomingMessage, request as httpRequest, type RequestListener, type ServerResponse } from 'node:http';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createConnection } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VersionArtifact } from '#contract/artifact.js';
import { parseRequestId } from '#contract/request-id.js';
import { keyHash } from '#platform/tls/key-hash.js';
import { X509Certificate } from 'node:crypto';
import { buildWat } from '../../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, type Built, httpTrigger, laneOf, raw } from '../front-fixture.js';
import { TestGateways } from './gateway-fixture.js';
import { TestAuthority } from './test-authority.js';

/** Nodes that answer for each other: real fronts, gateways and connections between them, in one process. */

const blobs = new Blobs();
let loop: Built;
let echo: Built;
let fleet: TestGateways;

beforeAll(async () => {
  [loop, echo] = await Promise.all([blobs.build(await buildWat('loop')), blobs.build(await buildWat('echo-03'))]);
});
afterEach(() => fleet.stop());
afterAll(() => blobs.remove());

/** Answers with its number at /v, by the component elsewhere. */
const version = (number: number, main = loop): VersionArtifact => artifactOf(number, { main }, [
  httpTrigger('number', '/v', { staticResponse: { status: 200, headers: {}, body: String(number) } }),
  httpTrigger('all', '/...', { component: 'main' }),
]);

/** Nodes a, b and c; the app is on the named ones. */
async function setUp(on: string[] = ['b'], artifact = version(1)) {
  fleet = new TestGateways(blobs);
  const [a, b, c] = [await fleet.add('a'), await fleet.add('b'), await fleet.add('c')];
  for (const node of fleet.nodes) if (on.includes(node.name)) await node.front!.deploy('app', artifact);
  fleet.tell('app', on.map((node) => ({ node, generation: 1 })));
  return { a, b, c };
}

/** Nodes a and b; what a hands over to b is answered by `listener`. */
async function withAnswerer(listener: RequestListener) {
  fleet = new TestGateways(blobs);
  const [a, b] = [await fleet.add('a'), await fleet.add('b', listener)];
  fleet.tell('app', [{ node: 'b', generation: 1 }]);
  return { a, b, port: a.front!.port };
}

const answered = (response: ServerResponse): void => { response.setHeader('whorl-relay', 'generation=1, load=0'); };
const until = async (what: () => boolean): Promise<void> => {
  for (let tries = 0; tries < 1_000 && !what(); tries++) await sleep(20);
  expect(what()).toBe(true);
};
const bodyOf = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

describe('a request for an app that is on another node', () => {
  it('is answered by that node, as if it had come in there', async () => {
    const { a, b } = await setUp();
    const headers = { prefer: 'whorl-request-id' };
    const [there, here] = [await ask(b.front!.port, 'app.localhost', '/v', { headers }), await ask(a.front!.port, 'app.localhost', '/v', { headers })];
    expect(here.status).toBe(200);
    const one = { date: '', 'whorl-request-id': '' };
    expect([here.body, { ...here.headers, ...one }]).toEqual([there.body, { ...there.headers, ...one }]);
    // An id says which node answered.
    const [id, other] = [here, there].map((answer) => parseRequestId(answer.headers['whorl-request-id'] as string)!);
    expect([id!.nodeHash, id!.version]).toEqual([other!.nodeHash, 1]);
    expect(a.gateway.counts).toMatchObject({ handedOver: 1, failed: 0 });
    expect(b.gateway.counts.taken).toBe(1);
  });

  it('is counted where the component ran, and nowhere else', async () => {
    const { a, b } = await setUp();
    for (let i = 0; i < 5; i++) expect((await ask(a.front!.port, 'app.localhost', '/')).status).toBe(200);
    await until(() => b.front!.usage().requests === 5);
    expect(a.front!.usage().requests).toBe(0);
  });

  it('goes over a connection that is kept', async () => {
    const { a, b } = await setUp();
    for (let i = 0; i < 30; i++) expect((await ask(a.front!.port, 'app.localhost', '/v')).status).toBe(200);
    expect([b.gateway.counts.taken, b.gateway.counts.connections]).toEqual([30, 1]);
  });

  it('opens no connection for each request, on none of its three ways', async () => {
    const { a, b } = await setUp();
    const opened = { toGateway: 0, toRunner: 0 };
    const count = (message: unknown): void => {
      const address = (message as { socket: { server: { address(): unknown } } }).socket.server.address();
      if (address === a.gatewayPath) opened.toGateway++;
      if (address === b.relayPath) opened.toRunner++;
    };
    subscribe('net.server.socket', count);
    for (let i = 0; i < 200; i++) expect((await ask(a.front!.port, 'app.localhost', '/v')).status).toBe(200);
    unsubscribe('net.server.socket', count);
    expect(b.gateway.counts).toMatchObject({ taken: 200, connections: 1 });
    expect(opened.toGateway).toBe(1);
    // These are kept for a moment only, which a slow machine may exceed.
    expect(opened.toRunner).toBeGreaterThan(0);
    expect(opened.toRunner).toBeLessThan(150);
  });

  it('is spread over the nodes that have it', async () => {
    const { a, b, c } = await setUp(['b', 'c']);
    for (let i = 0; i < 60; i++) await ask(a.front!.port, 'app.localhost', '/v');
    expect(b.gateway.counts.taken).toBeGreaterThan(5);
    expect(c.gateway.counts.taken).toBeGreaterThan(5);
  });

  it('keeps the not-found answers of the app and of unknown hosts as they are', async () => {
    const { a, b } = await setUp();
    for (const [host, path] of [['app.localhost', '/.well-known/spin/nothing'], ['other.localhost', '/'], ['app.localhost', '/.well-known/spin/info']] as const) {
      const [there, here] = [await ask(b.front!.port, host, path), await ask(a.front!.port, host, path)];
      expect([here.status, here.body, here.headers['content-type']]).toEqual([there.status, there.body, there.headers['content-type']]);
    }
    const unknown = await ask(a.front!.port, 'other.localhost', '/');
    expect([unknown.status, unknown.body]).toEqual([404, expect.stringContaining('NODE_HOST_UNKNOWN')]);
  });

  it('comes with the address of its client, and no word of the client\'s that claims to be ours', async () => {
    const heads: IncomingMessage[] = [];
    const { a } = await withAnswerer((request, response) => {
      heads.push(request);
      answered(response);
      response.end();
    });
    const forged = { 'whorl-client-addr': '9.9.9.9:9', 'whorl-generation': '99', 'whorl-relay': 'misdirected, generation=0, load=0', 'x-forwarded-for': '1.2.3.4', forwarded: 'for=1.2.3.4' };
    await ask(a.front!.port, 'app.localhost', '/x?y=%20z', { headers: { ...forged, 'x-mine': ['1', '2'], connection: 'x-hop', 'x-hop': '1', te: 'trailers' } });
    const [{ headers, url, rawHeaders }] = heads as [IncomingMessage];
    expect(headers['whorl-client-addr']).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(headers).toMatchObject({ host: 'app.localhost', 'x-forwarded-for': '1.2.3.4', forwarded: 'for=1.2.3.4', 'whorl-generation': '1', 'whorl-app': 'app', 'whorl-channel': 'production' });
    expect(headers).not.toHaveProperty('whorl-relay');
    expect(headers).not.toHaveProperty('x-hop');
    expect(headers).not.toHaveProperty('te');
    expect(rawHeaders.filter((_text, i) => rawHeaders[i - 1] === 'x-mine')).toEqual(['1', '2']);
    expect(url).toBe('/x?y=%20z');
  });

  it('gets the same version by whatever node its client enters', async () => {
    const { a, b, c } = await setUp(['b', 'c']);
    for (const { front } of [b, c]) {
      const lane = { ...laneOf('app', 2, [[1, 50], [2, 50]]), keyHeader: 'x-user' };
      await front!.front.prepare(lane, blobs.store(version(1)));
      await front!.front.prepare(lane, blobs.store(version(2)));
      await front!.front.serve(lane);
    }
    const seen = new Set<string>();
    for (let user = 0; user < 30; user++) {
      const bodies = [];
      for (const { front } of [a, b, c, a]) bodies.push((await ask(front!.port, 'app.localhost', '/v', { headers: { 'x-user': `user ${user}` } })).body);
      expect(new Set(bodies).size).toBe(1);
      seen.add(bodies[0]!);
    }
    expect(seen.size).toBe(2);
    // Without a key, by its address: the cookie is the same too.
    const [far, near] = [await ask(a.front!.port, 'app.localhost', '/v'), await ask(b.front!.port, 'app.localhost', '/v')];
    expect([far.body, far.headers['set-cookie']]).toEqual([near.body, near.headers['set-cookie']]);
    expect(far.headers['set-cookie']).toHaveLength(1);
  });
});

describe('bodies and answers between nodes', () => {
  it('carries large bodies both ways at once', async () => {
    const { a } = await setUp(['b'], version(1, echo));
    const sent = randomBytes(24 * 1024 * 1024);
    const request = httpRequest({ port: a.front!.port, host: '127.0.0.1', method: 'POST', path: '/', headers: { host: 'app.localhost', 'content-length': sent.length } });
    request.end(sent);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(createHash('sha256').update(await bodyOf(response)).digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  });

  it('holds a sender back as long as nobody reads, and an answerer as long as the client does not', async () => {
    let written = 0;
    const { port } = await withAnswerer((_request, response) => {
      answered(response);
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (written < 256 * 1024 * 1024) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
      };
      more();
    });
    const request = httpRequest({ port, host: '127.0.0.1', headers: { host: 'app.localhost' } }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.pause();
    let last = -1;
    await until(() => {
      const isStill = written === last;
      last = written;
      return isStill && written > 0;
    });
    expect(written).toBeLessThan(64 * 1024 * 1024);
    request.destroy();
  });

  it('carries trailers both ways, interim answers, and fields that stand several times', async () => {
    const { port } = await withAnswerer(async (request, response) => {
      response.writeContinue();
      response.writeInformation(103, { link: ['</a.css>; rel=preload', '</b.css>; rel=preload'] });
      const body = await bodyOf(request);
      response.writeHead(200, ['set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-latin', '\u00e9', 'content-type', 'a/b', 'content-type', 'c/d', 'trailer', 'x-sum', 'whorl-relay', 'mine', 'whorl-relay', 'generation=1, load=0']);
      response.write(`${body.length} ${String(request.trailers['x-end'])}`);
      response.addTrailers({ 'x-sum': 'done' });
      response.end();
    });
    const request = httpRequest({ port, host: '127.0.0.1', method: 'POST', headers: { host: 'app.localhost', trailer: 'x-end' } });
    const informed: unknown[] = [];
    request.on('information', ({ statusCode, rawHeaders }) => informed.push([statusCode, rawHeaders]));
    request.write('12345');
    request.addTrailers({ 'x-end': 'yes' });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect((await bodyOf(response)).toString()).toBe('5 yes');
    expect(informed).toEqual([[103, ['link', '</a.css>; rel=preload,</b.css>; rel=preload']]]);
    expect(response.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(response.rawHeaders.filter((_text, i) => response.rawHeaders[i - 1] === 'content-type')).toEqual(['a/b', 'c/d']);
    expect(response.headers['x-latin']).toBe('\u00e9');
    expect(response.headers['whorl-relay']).toBe('mine');
    expect(response.trailers).toEqual({ 'x-sum': 'done' });
  });

  it.each([
    ['HEAD', 200, ['content-length', '7'], undefined],
    ['GET', 204, [], undefined],
    ['GET', 304, ['etag', '"x"'], undefined],
    ['OPTIONS', 200, ['content-length', '0'], '*'],
  ])('passes %s with %i on', async (method, status, fields, target) => {
    const { port } = await withAnswerer((_request, response) => response.writeHead(status, [...fields, 'whorl-relay', 'generation=1, load=0']).end());
    const text = await raw(port, `${method} ${target ?? '/'} HTTP/1.1\r\nHost: app.localhost\r\n\r\n${method} ${target ?? '/'} HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n`);
    expect(text.split(`HTTP/1.1 ${status}`)).toHaveLength(3);
    for (const field of fields.filter((_text, i) => i % 2 === 0)) expect(text.toLowerCase()).toContain(`${field}: `);
    expect(text).not.toContain('whorl-relay');
  });

  it('asks for a body when the component does, and lets an answer come without', async () => {
    const { port } = await withAnswerer((request, response) => {
      answered(response);
      if (request.url === '/no') return void response.writeHead(413, { 'content-length': 0 }).end();
      response.writeContinue();
      request.pipe(response);
    });
    const expecting = 'Host: app.localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n';
    expect(await raw(port, `POST /no HTTP/1.1\r\n${expecting}`)).toMatch(/^HTTP\/1\.1 413 /);
    const socket = createConnection({ port, host: '127.0.0.1' });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (text === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write('abc');
    });
    socket.write(`POST /yes HTTP/1.1\r\n${expecting}`);
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(text).toContain('abc');
  });

  it('tells the answerer when the client is gone, and the client when the answerer is', async () => {
    let gone = 0;
    const { port, a } = await withAnswerer((request, response) => {
      answered(response);
      response.on('close', () => { gone += response.writableFinished ? 0 : 1; });
      response.write('begun');
      if (request.url === '/break') setTimeout(() => response.destroy(), 50);
    });
    const request = httpRequest({ port, host: '127.0.0.1', headers: { host: 'app.localhost' } }).end();
    await once(request, 'response');
    request.destroy();
    await until(() => gone === 1);
    await expect(ask(port, 'app.localhost', '/break')).rejects.toThrow('aborted');
    await until(() => a.gateway.gauges.underWay === 0);
  });

  it('refuses an upgrade as a node does that has the app', async () => {
    const { a, b } = await setUp();
    const upgrade = 'GET /v HTTP/1.1\r\nHost: app.localhost\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n';
    const [here, there] = [await raw(a.front!.port, upgrade), await raw(b.front!.port, upgrade)];
    const status = (text: string): string => text.slice(0, text.indexOf('\r\n'));
    expect(status(here)).toBe(status(there));
  });
});

describe('when the table is not what is', () => {
  it('asks elsewhere when a node has the app no more', async () => {
    const { a, b, c } = await setUp(['c']);
    fleet.tell('app', [{ node: 'b', generation: 1 }, { node: 'c', generation: 1 }]);
    for (let i = 0; i < 20; i++) expect((await ask(a.front!.port, 'app.localhost', '/v', { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(200);
    expect(a.gateway.counts.misdirected).toBeGreaterThan(0);
    expect(b.gateway.counts.handedOver).toBe(0);
    expect(c.gateway.counts.taken).toBe(20);
  });

  it('asks elsewhere when a node takes no connection, and leaves it alone for a moment', async () => {
    const { a, b, c } = await setUp(['b', 'c']);
    await b.gateway.close(0);
    for (let i = 0; i < 30; i++) expect((await ask(a.front!.port, 'app.localhost', '/v', { method: 'POST', body: 'x' })).status).toBe(200);
    expect(c.gateway.counts.taken).toBe(30);
    expect(a.gateway.counts.retried).toBeLessThan(10);
  });

  it('waits for a switch rather than answer with an older generation', async () => {
    const { a, b } = await setUp(['b']);
    await b.front!.front.prepare(laneOf('app', 2, [[2, 100]]), blobs.store(version(2)));
    // Another node has switched already, as the table says, and is gone.
    fleet.tell('app', [{ node: 'b', generation: 1 }, { node: 'c', generation: 2 }]);
    fleet.tell('app', [{ node: 'b', generation: 1 }]);
    const answer = ask(a.front!.port, 'app.localhost', '/v');
    await sleep(300);
    await b.front!.front.serve(laneOf('app', 2, [[2, 100]]));
    expect((await answer).body).toBe('2');
  });

  it('does not go back in generation after a restart, without a control plane', async () => {
    const { a, b, c } = await setUp(['b', 'c']);
    await b.front!.deploy('app', version(2), 2);
    // Only the answers say that there is a newer one.
    const bodies: string[] = [];
    for (let i = 0; i < 40 && bodies.at(-1) !== '2'; i++) bodies.push((await ask(a.front!.port, 'app.localhost', '/v')).body);
    expect(bodies.at(-1)).toBe('2');
    await a.gateway.close(0);
    await a.startGateway(fleet.authority.credentials('a'));
    for (let i = 0; i < 10; i++) expect((await ask(a.front!.port, 'app.localhost', '/v')).body).toBe('2');
    await c.front!.deploy('app', version(2), 2);
    expect((await ask(a.front!.port, 'app.localhost', '/v')).body).toBe('2');
  });

  it('answers itself when it is told that it has the app', async () => {
    const { a, b } = await setUp(['b']);
    // As if it had come between the look of the front and that of the gateway.
    await b.front!.front.serve({ ...laneOf('app', 2, [[1, 100]]), hosts: ['new.localhost'] });
    fleet.tell('app', [{ node: 'a', generation: 1 }, { node: 'b', generation: 2 }], { hosts: ['new.localhost'] });
    expect((await ask(a.front!.port, 'new.localhost', '/v')).body).toBe('1');
    expect(a.gateway.counts).toMatchObject({ misdirected: 1, handedOver: 1 });
  });

  it('brings a client that comes right after a deploy to the app', async () => {
    const { a } = await setUp(['b']);
    await fleet.nodes[1]!.front!.deploy('late', version(1));
    a.onRefresh = (call) => {
      fleet.tell('late', [{ node: 'b', generation: 1 }]);
      a.gateway.refreshed(call);
    };
    expect((await ask(a.front!.port, 'late.localhost', '/v')).status).toBe(200);
  });
});

describe('an app that is nowhere', () => {
  it('is asked for, and its request waits until it is somewhere', async () => {
    const { a, c } = await setUp([]);
    const answer = ask(a.front!.port, 'app.localhost', '/v', { method: 'POST', body: 'x'.repeat(10_000) });
    await until(() => a.wanted.length > 0);
    expect(a.wanted[0]).toEqual({ app: 'app', channel: 'production' });
    await c.front!.deploy('app', version(1));
    fleet.tell('app', [{ node: 'c', generation: 1 }]);
    expect((await answer).status).toBe(200);
    expect(a.gateway.counts.waited).toBe(1);
  });

  it('is answered for with the reason when it does not come in time', async () => {
    const { a } = await setUp([]);
    const { status, headers, body } = await ask(a.front!.port, 'app.localhost', '/v');
    expect([status, headers['retry-after'], headers['proxy-status']]).toEqual([503, '1', 'whorl; error=destination_not_found']);
    expect(body).toContain('GATEWAY_APP_NOWHERE');
    expect(a.gateway.gauges).toMatchObject({ waiting: 0, underWay: 0 });
  }, 60_000);

  it('is not asked for when nothing is deployed on it', async () => {
    const { a } = await setUp([]);
    fleet.tell('empty', [], { isServed: false });
    expect(await ask(a.front!.port, 'empty.localhost', '/')).toMatchObject({ status: 503, body: expect.stringContaining('NODE_APP_NOT_READY') });
    expect(a.wanted).toEqual([]);
  });
});

describe('requests that may have been processed', () => {
  it('are sent again only where that does no harm', async () => {
    let seen = 0;
    fleet = new TestGateways(blobs);
    const [a] = [await fleet.add('a'), await fleet.add('b', (request) => {
      seen++;
      request.socket.destroy();
    }), await fleet.add('c')];
    await fleet.nodes[2]!.front!.deploy('app', version(1));
    // The other one is asked second.
    fleet.tell('app', [{ node: 'b', generation: 1 }, { node: 'c', generation: 1, leaving: true }]);
    expect((await ask(a!.front!.port, 'app.localhost', '/v')).status).toBe(200);
    expect(seen).toBe(1);
    await sleep(300);
    expect(await ask(a!.front!.port, 'app.localhost', '/v', { method: 'POST', body: 'x' })).toMatchObject({ status: 502, body: expect.stringContaining('GATEWAY_ANSWER_LOST') });
    expect(seen).toBe(2);
  });
});

describe('who is not believed', () => {
  it('is a node whose certificate another authority made', async () => {
    const { a, b } = await setUp(['c']);
    const stranger = new TestAuthority();
    const credentials = stranger.credentials('b', { trusted: [fleet.authority.certificate, stranger.certificate] });
    await b.gateway.close(0);
    await b.startGateway(credentials);
    fleet.tell('app', [{ node: 'c', generation: 1 }]);
    // Neither does it get anything of others' ...
    const { status, body } = await ask(b.front!.port, 'app.localhost', '/v');
    expect([status, body]).toEqual([502, expect.stringContaining('GATEWAY_ANSWER_LOST')]);
    await until(() => fleet.nodes[2]!.gateway.counts.refusedPeers > 0);
    // ... nor anything of theirs.
    fleet.tell('mine', [{ node: 'b', generation: 1 }]);
    await b.front!.deploy('mine', version(1));
    expect((await ask(a.front!.port, 'mine.localhost', '/v')).status).toBe(503);
    expect(b.gateway.counts.taken).toBe(0);
  }, 60_000);

  it('is a node that answers at the address of another', async () => {
    const { a, b, c } = await setUp(['b']);
    await b.front!.deploy('app', version(1));
    // The table names c, and gives b's address.
    const nodes = fleet.nodesOf().map((node) => (node.node === 'c' ? { ...node, gateway: { host: '127.0.0.1', port: b.port } } : node));
    a.gateway.take({ revision: 'x', isWhole: false, nodes, routes: [{ app: 'app', channel: 'production', generation: 1, hosts: ['app.localhost'], isServed: true, replicas: [{ node: c.name, generation: 1 }] }] as never, gone: [] });
    expect((await ask(a.front!.port, 'app.localhost', '/v')).body).toContain('GATEWAY_NODE_UNREACHABLE');
    expect(a.logged.join()).toContain('expected the node c, and b answered');
  }, 60_000);

  it('is a node that was removed, on connections that are open too', async () => {
    const { a, b } = await setUp(['b']);
    const credentials = fleet.authority.credentials('a');
    await a.gateway.setCredentials(credentials);
    expect((await ask(a.front!.port, 'app.localhost', '/v')).status).toBe(200);
    const key = keyHash(new X509Certificate(credentials.certificate).publicKey);
    await b.gateway.setCredentials(fleet.authority.credentials('b', { denied: [{ node: 'a' as never, key }] }));
    expect(await ask(a.front!.port, 'app.localhost', '/v')).toMatchObject({ status: 502 });
    expect(b.gateway.counts.taken).toBe(1);
  }, 60_000);

  it('and a renewed certificate interrupts nothing', async () => {
    const { a, b } = await setUp(['b']);
    const failures: number[] = [];
    let isOver = false;
    const loops = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        const { status } = await ask(a.front!.port, 'app.localhost', '/v');
        if (status !== 200) failures.push(status);
      }
    });
    for (let i = 0; i < 5; i++) {
      await sleep(100);
      await a.gateway.setCredentials(fleet.authority.credentials('a'));
      await b.gateway.setCredentials(fleet.authority.credentials('b'));
    }
    isOver = true;
    await Promise.all(loops);
    expect(failures).toEqual([]);
  });
});
