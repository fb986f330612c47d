import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer as createTcp } from 'node:net';
import { once } from 'node:events';
import { createAgent } from '#runtime/capability/outbound/http-agent.js';
import type { ResolvedAddress } from '#runtime/capability/outbound/resolve.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { bytes, header, ok, TestGuest, text } from './guest-state.js';
import { listen, readAll } from './http-server.js';

type Server = Awaited<ReturnType<typeof listen>>;
interface Sent { method: string; scheme: string; authority?: string; path?: string; headers?: [string, string][]; body?: boolean; timeouts?: Record<string, bigint> }

const guests: TestGuest[] = [];
let server: Server;
let aborted = 0;
let connections = 0;
const seen: { method: string; url: string; headers: Record<string, string | string[] | undefined> }[] = [];

beforeAll(async () => {
  server = await listen((request, response) => {
    seen.push({ method: request.method!, url: request.url!, headers: request.headers });
    const path = request.url!.split('?')[0];
    response.on('close', () => { if (!response.writableFinished) aborted += 1; });
    if (path === '/echo') {
      response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'none', connection: 'keep-alive' });
      request.pipe(response);
    } else if (path === '/redirect') response.writeHead(302, { location: '/echo' }).end();
    else if (path === '/silent') return;
    else if (path === '/stalls') response.write('first');
    else if (path === '/cut') {
      response.writeHead(200, { 'content-length': '100' });
      response.write('partial', () => request.socket.destroy());
    } else if (path === '/big') {
      const chunk = Buffer.alloc(65536, 1);
      const more = () => { while (!response.destroyed && response.write(chunk)) { /* until it is full */ } };
      response.on('drain', more);
      more();
    } else if (path === '/trailers') {
      response.writeHead(200, { trailer: 'x-sum' });
      response.write('body');
      response.addTrailers({ 'x-sum': '7' });
      response.end();
    } else if (path === '/cookies') response.writeHead(200, [['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-latin', 'caf\xe9']] as never).end();
    else void readAll(request).then((body) => response.end(`${request.method} ${request.url} ${body}`));
  });
  server.server.on('connection', () => { connections += 1; });
});
afterAll(() => server.close());
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

function guestWith(allowed: string[] = [`http://127.0.0.1:${server.port}`], grant: Partial<GuestGrant> = {}) {
  const guest = new TestGuest({ allowedOutboundHosts: allowed, ...grant });
  guests.push(guest);
  const http = guest.calls('wasi:http/types@0.2.3');
  const poll = guest.calls('wasi:io/poll@0.2.3');
  const io = guest.calls('wasi:io/streams@0.2.3');
  const send = ({ method, scheme, authority, path, headers = [], body, timeouts }: Sent) => {
    const request = http('[constructor]outgoing-request', ok(http('[static]fields.from-list', headers.map(([name, value]) => [name, bytes(value)]))));
    ok(http('[method]outgoing-request.set-method', request, { tag: method.toLowerCase() }));
    ok(http('[method]outgoing-request.set-scheme', request, { tag: scheme.toUpperCase() }));
    ok(http('[method]outgoing-request.set-authority', request, authority));
    ok(http('[method]outgoing-request.set-path-with-query', request, path));
    const outgoing = body ? ok(http('[method]outgoing-request.body', request)) : null;
    const stream = outgoing && ok(http('[method]outgoing-body.write', outgoing));
    let options: unknown;
    if (timeouts) {
      options = http('[constructor]request-options');
      for (const [name, ns] of Object.entries(timeouts)) http(`[method]request-options.set-${name}-timeout`, options, ns);
    }
    const future = guest.calls('wasi:http/outgoing-handler@0.2.3')('handle', request, options);
    return { future, outgoing, stream };
  };
  const outcome = async (future: unknown) => {
    await poll('[method]pollable.block', http('[method]future-incoming-response.subscribe', future));
    return http('[method]future-incoming-response.get', future).val;
  };
  const response = async (future: unknown) => {
    const result = await outcome(future);
    if (result.tag === 'err') throw new Error(JSON.stringify(result.val));
    const body = ok(http('[method]incoming-response.consume', result.val));
    return {
      status: http('[method]incoming-response.status', result.val) as number,
      headers: (http('[method]fields.entries', http('[method]incoming-response.headers', result.val)) as [string, Uint8Array][])
        .map(([name, value]) => [name, text(value)] as const),
      body,
      stream: ok(http('[method]incoming-body.stream', body)),
    };
  };
  const read = async (stream: unknown) => {
    let all = '';
    for (;;) {
      const chunk = await io('[method]input-stream.blocking-read', stream, 65536n);
      if (!(chunk instanceof Uint8Array)) return { all, error: chunk.payload };
      all += text(chunk);
    }
  };
  return { guest, http, io, poll, send, outcome, response, read };
}
const here = () => `127.0.0.1:${server.port}`;

describe('an outgoing request of a 0.2 guest', () => {
  it('reaches the server with method, path and fields, and the Host of its authority', async () => {
    const { send, response, read } = guestWith();
    const { future } = send({ method: 'GET', scheme: 'http', authority: here(), path: '/plain?q=1', headers: [['x-a', '1'], ['x-a', '2'], ['host', 'evil.example']] });
    const got = await response(future);
    expect(got.status).toBe(200);
    expect((await read(got.stream)).all).toBe('GET /plain?q=1 ');
    expect(seen.at(-1)).toMatchObject({ method: 'GET', url: '/plain?q=1', headers: { host: here(), 'x-a': '1, 2' } });
    expect(seen.at(-1)!.headers['transfer-encoding']).toBeUndefined();
  });

  it('is one message with a length when its body is complete before the guest waits', async () => {
    const { http, io, send, response, read } = guestWith();
    const { future, outgoing, stream } = send({ method: 'POST', scheme: 'http', authority: here(), path: '/plain', body: true });
    io('[method]output-stream.blocking-write-and-flush', stream, bytes('Hello, '));
    io('[method]output-stream.blocking-write-and-flush', stream, bytes('world!'));
    ok(http('[static]outgoing-body.finish', outgoing, undefined));
    const got = await response(future);
    expect((await read(got.stream)).all).toBe('POST /plain Hello, world!');
    expect(seen.at(-1)!.headers['content-length']).toBe('13');
  });

  it('streams both ways at once', async () => {
    const { http, io, send, response } = guestWith();
    const { future, outgoing, stream } = send({ method: 'POST', scheme: 'http', authority: here(), path: '/echo', body: true });
    await io('[method]output-stream.blocking-write-and-flush', stream, bytes('one'));
    const got = await response(future);
    expect(text(await io('[method]input-stream.blocking-read', got.stream, 100n))).toBe('one');
    await io('[method]output-stream.blocking-write-and-flush', stream, bytes('two'));
    expect(text(await io('[method]input-stream.blocking-read', got.stream, 100n))).toBe('two');
    ok(http('[static]outgoing-body.finish', outgoing, undefined));
    expect(await io('[method]input-stream.blocking-read', got.stream, 100n)).toMatchObject({ payload: { tag: 'closed' } });
  });

  it('carries 8 MiB through an echo with backpressure', async () => {
    const { http, io, poll, send, response } = guestWith();
    const { future, outgoing, stream } = send({ method: 'POST', scheme: 'http', authority: here(), path: '/echo', body: true });
    io('[method]output-stream.write', stream, new Uint8Array(1024));
    const got = await response(future);
    let left = 8 * 1024 * 1024 - 1024;
    let received = 0;
    let done = false;
    let sawFull = false;
    while (!done) {
      const permit = left > 0 ? (io('[method]output-stream.check-write', stream) as bigint) : 0n;
      if (left > 0 && permit === 0n) sawFull = true;
      if (permit > 0n) {
        const chunk = new Uint8Array(Math.min(Number(permit), left, 65536));
        ok(io('[method]output-stream.write', stream, chunk));
        left -= chunk.length;
        if (left === 0) ok(http('[static]outgoing-body.finish', outgoing, undefined));
      }
      const chunk = io('[method]input-stream.read', got.stream, 65536n);
      if (!(chunk instanceof Uint8Array)) done = true;
      else if (chunk.length > 0) received += chunk.length;
      else if (permit === 0n) await poll('poll', left > 0 ? [got.stream, stream] : [got.stream]);
    }
    expect(received).toBe(8 * 1024 * 1024);
    expect(sawFull).toBe(true);
  });

  it('checks a declared length', async () => {
    const { http, io, send, outcome } = guestWith();
    const short = send({ method: 'POST', scheme: 'http', authority: here(), path: '/plain', body: true, headers: [['content-length', '10']] });
    io('[method]output-stream.write', short.stream, bytes('four'));
    expect(http('[static]outgoing-body.finish', short.outgoing, undefined)).toMatchObject({ payload: { tag: 'HTTP-request-body-size', val: 4n } });
    expect(await outcome(short.future)).toMatchObject({ tag: 'err', val: { tag: 'HTTP-request-body-size' } });
  });

  it('keeps every cookie and every byte of the answer’s fields', async () => {
    const { send, response } = guestWith();
    const got = await response(send({ method: 'GET', scheme: 'http', authority: here(), path: '/cookies' }).future);
    expect(got.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual(['a=1', 'b=2']);
    expect(header(got.headers, 'x-latin')).toBe('caf\xe9');
    expect(header(got.headers, 'connection')).toBeUndefined();
    expect(header(got.headers, 'transfer-encoding')).toBeUndefined();
  });

  it('gives the trailers of the answer', async () => {
    const { http, poll, send, response, read } = guestWith();
    const got = await response(send({ method: 'GET', scheme: 'http', authority: here(), path: '/trailers' }).future);
    expect((await read(got.stream)).all).toBe('body');
    const trailers = http('[static]incoming-body.finish', got.body);
    await poll('[method]pollable.block', trailers);
    const { val } = http('[method]future-trailers.get', trailers).val;
    expect(text(http('[method]fields.get', val, 'x-sum')[0])).toBe('7');
  });

  it('does not follow redirects', async () => {
    const { send, response } = guestWith();
    const got = await response(send({ method: 'GET', scheme: 'http', authority: here(), path: '/redirect' }).future);
    expect(got.status).toBe(302);
    expect(header(got.headers, 'location')).toBe('/echo');
  });

  it('uses its connections again', async () => {
    const { send, response, read } = guestWith();
    const before = connections;
    for (let i = 0; i < 10; i += 1) await read((await response(send({ method: 'GET', scheme: 'http', authority: here(), path: '/plain' }).future)).stream);
    expect(connections - before).toBeLessThanOrEqual(2);
  });

  it('reads no faster than the guest does', async () => {
    const { send, response, io } = guestWith();
    const got = await response(send({ method: 'GET', scheme: 'http', authority: here(), path: '/big' }).future);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    let held = 0;
    for (;;) {
      const chunk = io('[method]input-stream.read', got.stream, 1_000_000n);
      if (!(chunk instanceof Uint8Array) || chunk.length === 0) break;
      held += chunk.length;
      if (held > 4_000_000) break;
    }
    expect(held).toBeLessThan(2_000_000);
  });
});

describe('an outgoing request that fails', () => {
  it('is denied through the future, with Spin’s hint, when the manifest does not allow it', async () => {
    const { guest, io, send, outcome } = guestWith([]);
    const { future, stream } = send({ method: 'POST', scheme: 'http', authority: 'localhost:1234', path: '/', body: true });
    expect(io('[method]output-stream.blocking-write-and-flush', stream, bytes('ignored'))).toBeUndefined();
    expect(await outcome(future)).toEqual({ tag: 'err', val: { tag: 'HTTP-request-denied' } });
    expect(guest.notes).toEqual([
      "A component tried to make an outbound network connection to disallowed destination 'http://localhost:1234'.",
      `To allow this request, add 'allowed_outbound_hosts = ["http://localhost:1234"]' to the manifest component section.`,
    ]);
  });

  it.each(['127.0.0.1', 'localhost', '127.1', '0x7f000001', '[::1]', '[::ffff:127.0.0.1]'])('does not reach %s without the operator’s grant', async (host) => {
    const { guest, send, outcome } = guestWith(['*://*:*'], { allowPrivateHosts: false });
    const before = seen.length;
    expect(await outcome(send({ method: 'GET', scheme: 'http', authority: `${host}:${server.port}`, path: '/' }).future))
      .toEqual({ tag: 'err', val: { tag: 'destination-IP-prohibited' } });
    expect(seen).toHaveLength(before);
    expect(guest.notes).toHaveLength(1);
  });

  it('never reaches the metadata service, whatever is granted', async () => {
    const { send, outcome } = guestWith(['*://*:*'], { allowPrivateHosts: true });
    expect(await outcome(send({ method: 'GET', scheme: 'http', authority: '169.254.169.254', path: '/latest/meta-data' }).future))
      .toEqual({ tag: 'err', val: { tag: 'destination-IP-prohibited' } });
  });

  it('says that nobody listens', async () => {
    const gone = await listen(() => undefined);
    await gone.close();
    const { send, outcome } = guestWith(['*://*:*']);
    expect(await outcome(send({ method: 'GET', scheme: 'http', authority: `127.0.0.1:${gone.port}` }).future))
      .toEqual({ tag: 'err', val: { tag: 'connection-refused' } });
  });

  it('says that the answer is no HTTP, or was cut off', async () => {
    const rude = createTcp((socket) => socket.end('SMTP ready\r\n'));
    rude.listen(0, '127.0.0.1');
    await once(rude, 'listening');
    const { send, outcome, response, read } = guestWith(['*://*:*']);
    const { port } = rude.address() as { port: number };
    expect(await outcome(send({ method: 'POST', scheme: 'http', authority: `127.0.0.1:${port}` }).future)).toEqual({ tag: 'err', val: { tag: 'HTTP-protocol-error' } });
    rude.close();
    const got = await response(send({ method: 'GET', scheme: 'http', authority: here(), path: '/cut' }).future);
    const { all, error } = await read(got.stream);
    expect(all).toBe('partial');
    expect(error).toMatchObject({ tag: 'last-operation-failed', val: { httpCode: { tag: 'HTTP-response-incomplete' } } });
  });

  it('says that the server speaks no TLS', async () => {
    const { send, outcome } = guestWith(['*://*:*']);
    expect(await outcome(send({ method: 'GET', scheme: 'https', authority: here(), path: '/' }).future)).toEqual({ tag: 'err', val: { tag: 'TLS-protocol-error' } });
  });

  it('keeps the guest’s timeouts', async () => {
    const { send, outcome, response, read } = guestWith();
    const started = Date.now();
    expect(await outcome(send({ method: 'GET', scheme: 'http', authority: here(), path: '/silent', timeouts: { 'first-byte': 50_000_000n } }).future))
      .toEqual({ tag: 'err', val: { tag: 'HTTP-response-timeout' } });
    const got = await response(send({ method: 'GET', scheme: 'http', authority: here(), path: '/stalls', timeouts: { 'between-bytes': 50_000_000n } }).future);
    const { all, error } = await read(got.stream);
    expect(all).toBe('first');
    expect(error).toMatchObject({ val: { httpCode: { tag: 'connection-read-timeout' } } });
    expect(Date.now() - started).toBeLessThan(20_000);
  });

  it('stops when the invocation ends, and the server sees it', async () => {
    const { guest, send, outcome } = guestWith();
    const before = aborted;
    const arrived = once(server.server, 'request');
    const waiting = outcome(send({ method: 'GET', scheme: 'http', authority: here(), path: '/silent' }).future);
    await arrived;
    guest.next();
    await Promise.allSettled([waiting]);
    for (let i = 0; i < 100 && aborted === before; i += 1) await new Promise((resolve) => { setTimeout(resolve, 10); });
    expect(aborted).toBe(before + 1);
  });

  it('stops when the guest drops the future', async () => {
    const { guest, send } = guestWith();
    const before = aborted;
    const arrived = once(server.server, 'request');
    const { future } = send({ method: 'GET', scheme: 'http', authority: here(), path: '/silent' });
    await arrived;
    guest.host('wasi:http/types@0.2.3', '[resource-drop]future-incoming-response')(future);
    for (let i = 0; i < 100 && aborted === before; i += 1) await new Promise((resolve) => { setTimeout(resolve, 10); });
    expect(aborted).toBe(before + 1);
  });

  it('is refused when too many are under way', async () => {
    const { send, outcome } = guestWith();
    const futures = Array.from({ length: 129 }, () => send({ method: 'GET', scheme: 'http', authority: here(), path: '/silent' }).future);
    expect(await outcome(futures[128])).toEqual({ tag: 'err', val: { tag: 'connection-limit-reached' } });
  });

  it('is refused when the invocation has sent as many as it may; the next one begins anew', async () => {
    const { guest, send, outcome } = guestWith(undefined, { limits: { outboundRequests: 2, outboundConcurrency: 10, outboundConnections: 10 } });
    const struck: string[] = [];
    const ask = async () => (await outcome(send({ method: 'GET', scheme: 'http', authority: here(), path: '/plain' }).future)).tag;
    guest.next({ struck: (code) => { struck.push(code); } });
    expect([await ask(), await ask(), await ask()]).toEqual(['ok', 'ok', 'err']);
    expect(struck).toEqual(['COMPONENT_OUTBOUND_LIMIT']);
    guest.next();
    expect(await ask()).toBe('ok');
  });

  it('refuses methods, paths and authorities that are none', () => {
    const { http } = guestWith();
    const request = http('[constructor]outgoing-request', http('[constructor]fields'));
    for (const [setter, value] of [
      ['method', { tag: 'other', val: 'G E T' }], ['path-with-query', '/a b'], ['path-with-query', 'a'], ['path-with-query', '/a\r\nx: y'], ['path-with-query', '/a#b'],
      ['authority', 'a/b'], ['authority', 'user@a'], ['authority', ''], ['scheme', { tag: 'other', val: '1:' }],
    ]) {
      expect(http(`[method]outgoing-request.set-${setter as string}`, request, value)).toMatchObject({ payload: undefined });
    }
    expect(http('[method]outgoing-request.set-method', request, { tag: 'other', val: 'QUERY' })).toBeUndefined();
  });
});

describe(createAgent.name, () => {
  const through = (addresses: ResolvedAddress[][], allowPrivate: boolean, maxConnections = 10) => {
    let asked = 0;
    const guest = new TestGuest({ allowPrivateHosts: allowPrivate, limits: { outboundRequests: 100, outboundConcurrency: 100, outboundConnections: maxConnections } });
    guests.push(guest);
    const agent = createAgent(guest.grant, async () => addresses[Math.min(asked++, addresses.length - 1)]!);
    return { agent, asked: () => asked };
  };
  const v4 = (address: string) => ({ address, family: 4 });

  it('connects to the address that it checked, though the name changes its answer', async () => {
    const { agent, asked } = through([[v4('127.0.0.1')], [v4('169.254.169.254')]], true);
    const { statusCode, body } = await agent.request({ origin: `http://rebind.example:${server.port}`, path: '/plain', method: 'GET' });
    expect([statusCode, await body.text()]).toEqual([200, 'GET /plain ']);
    expect(asked()).toBe(1);
    await agent.destroy();
  });

  it('opens no more connections than it may have, and another when one is closed', async () => {
    const { agent } = through([[v4('127.0.0.1')]], true, 1);
    const ask = (path: string) => agent.request({ origin: `http://one.example:${server.port}`, path, method: 'GET' });
    const first = await ask('/stalls');
    await expect(ask('/plain')).rejects.toMatchObject({ httpCode: { tag: 'connection-limit-reached' } });
    const closed = new Promise((resolve) => { first.body.on('close', resolve); });
    first.body.on('error', () => undefined).destroy();
    await closed;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await ask('/plain')).statusCode).toBe(200);
    await agent.destroy();
  });

  it('refuses a public name that leads inside', async () => {
    const { agent } = through([[v4('127.0.0.1')]], false);
    await expect(agent.request({ origin: `http://public.example:${server.port}`, path: '/', method: 'GET' })).rejects.toMatchObject({ httpCode: { tag: 'destination-IP-prohibited' } });
    await agent.destroy();
  });

  it('leaves out the forbidden ones of several addresses', async () => {
    const { agent } = through([[v4('169.254.169.254'), v4('127.0.0.1')]], true);
    const { body } = await agent.request({ origin: `http://several.example:${server.port}`, path: '/plain', method: 'GET' });
    expect(await body.text()).toBe('GET /plain ');
    await agent.destroy();
  });
});
