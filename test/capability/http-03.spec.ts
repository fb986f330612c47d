import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Err } from '#engine/run/host.js';
import { EOF as PIPE_EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import type { Response03 } from '#runtime/capability/http/message-03.js';
import { incomingRequest03, sendResponse03 } from '#runtime/capability/http/server-03.js';
import { bytes, drain, header, ok, TestExchange, TestGuest, text } from './guest-state.js';
import { listen, readAll } from './http-server.js';

const guests: TestGuest[] = [];
let server: Awaited<ReturnType<typeof listen>>;
beforeAll(async () => {
  server = await listen((request, response) => {
    if (request.url === '/silent') return;
    if (request.url === '/echo') request.pipe(response);
    else void readAll(request).then((body) => response.writeHead(203, { 'x-len': request.headers['content-length'] ?? 'none' }).end(`${request.method} ${request.url} ${body}`));
  });
});
afterAll(() => server.close());
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

const NO_TRAILERS = { tag: 'ok', val: undefined };

/** A stream as a guest would write it: in parts, ended when told. */
function writer() {
  const queue: Uint8Array[] = [];
  let ended = false;
  let cancelled = false;
  const pipe = hostStream({ pull: () => queue.shift() ?? (ended ? PIPE_EOF : null), cancel: () => { cancelled = true; } });
  return {
    pipe,
    write: (part: string | Uint8Array) => { queue.push(typeof part === 'string' ? bytes(part) : part); pipe.more(); },
    end: () => { ended = true; pipe.more(); },
    get cancelled() { return cancelled; },
    get left() { return queue.length; },
  };
}

async function readPipe(stream: Pipe): Promise<string> {
  let all = '';
  await new Promise<void>((resolve) => { stream.attach({ write: (chunk) => { all += text(chunk as Uint8Array); return true; }, end: () => resolve() }); });
  return all;
}
const valueOf = (future: Pipe) => new Promise((resolve) => { future.attach({ value: resolve }); });

function setUp(allowed = [`http://127.0.0.1:${server.port}`]) {
  const guest = new TestGuest({ allowedOutboundHosts: allowed });
  guests.push(guest);
  const http = guest.calls('wasi:http/types@0.3.0');
  const fields = (entries: [string, string][] = []) => ok(http('[static]fields.from-list', entries.map(([name, value]) => [name, bytes(value)])));
  const respond = (exchange: TestExchange, headers: [string, string][], contents: Pipe | undefined, trailers: Pipe = hostFuture(NO_TRAILERS)) => {
    const [response, sent] = http('[static]response.new', fields(headers), contents, trailers);
    let done = false;
    sendResponse03(guest, exchange, { tag: 'ok', val: response }, () => { done = true; });
    return { sent: sent as Pipe, done: () => done };
  };
  const request = (path: string, { method = 'get', headers = [] as [string, string][], contents = undefined as Pipe | undefined, options = undefined as unknown } = {}) => {
    const [made, sent] = http('[static]request.new', fields(headers), contents, hostFuture(NO_TRAILERS), options);
    ok(http('[method]request.set-method', made, { tag: method }));
    ok(http('[method]request.set-scheme', made, { tag: 'HTTP' }));
    ok(http('[method]request.set-authority', made, `127.0.0.1:${server.port}`));
    ok(http('[method]request.set-path-with-query', made, path));
    return { made, sent: sent as Pipe };
  };
  const send = (made: unknown) => guest.calls('wasi:http/client@0.3.0')('send', made);
  return { guest, http, fields, respond, request, send };
}

describe('an answer of a 0.3 guest', () => {
  it('is one write with its length when the body is there at once', async () => {
    const exchange = new TestExchange();
    const body = writer();
    body.write('hello ');
    body.write('world');
    body.end();
    const { sent, done } = setUp().respond(exchange, [['content-type', 'text/plain']], body.pipe);
    expect(exchange.answer!.headers).toEqual([['content-type', 'text/plain'], ['content-length', '11']]);
    expect(text(exchange.answer!.body.read(100) as Uint8Array)).toBe('hello world');
    expect(await valueOf(sent)).toEqual(NO_TRAILERS);
    expect(done()).toBe(true);
  });

  it('is empty without contents', async () => {
    const exchange = new TestExchange();
    const { done } = setUp().respond(exchange, [], undefined, hostFuture());
    expect(header(exchange.answer!.headers, 'content-length')).toBe('0');
    expect(done()).toBe(true);
  });

  it('streams: the head goes out before the body is there', async () => {
    const exchange = new TestExchange();
    const body = writer();
    const trailers = hostFuture();
    const { done } = setUp().respond(exchange, [], body.pipe, trailers);
    expect(exchange.answer).toBeNull();
    await new Promise((resolve) => { setImmediate(() => setImmediate(resolve)); });
    expect(exchange.answer).toMatchObject({ status: 200, headers: [] });
    body.write('late');
    expect(text(exchange.answer!.body.read(100) as Uint8Array)).toBe('late');
    body.end();
    expect(done()).toBe(false);
    trailers.resolve({ tag: 'ok', val: undefined });
    expect(done()).toBe(true);
    expect(await drain(exchange.answer!.body)).toBe('');
  });

  it('feels a slow client', async () => {
    const exchange = new TestExchange();
    const body = writer();
    for (let i = 0; i < 20; i += 1) body.write(new Uint8Array(65536));
    body.end();
    setUp().respond(exchange, [], body.pipe);
    expect(body.left).toBeGreaterThan(10);
    expect((await drain(exchange.answer!.body)).length).toBe(20 * 65536);
  });

  it('is broken off with an error of its trailers, a wrong length, or a reset', async () => {
    const { guest, respond } = setUp();
    const failing = new TestExchange();
    const part = writer();
    part.write(new Uint8Array(100_000));
    part.end();
    const { sent } = respond(failing, [], part.pipe, hostFuture({ tag: 'err', val: { tag: 'internal-error', val: 'x' } }));
    expect(() => failing.answer!.body.read(1)).toThrow('internal-error');
    expect(await valueOf(sent)).toEqual({ tag: 'err', val: { tag: 'internal-error', val: 'x' } });

    const short = new TestExchange();
    const few = writer();
    few.write('abc');
    few.end();
    const { sent: shortSent } = respond(short, [['content-length', '10']], few.pipe);
    expect(await valueOf(shortSent)).toEqual({ tag: 'err', val: { tag: 'HTTP-response-body-size', val: 3n } });
    expect(short.answer).toBeNull();

    const reset = new TestExchange();
    const endless = writer();
    endless.write(new Uint8Array(100_000));
    respond(reset, [], endless.pipe);
    guest.next();
    expect(() => reset.answer!.body.read(1)).toThrow('ended before its answer did');
  });

  it('tells the guest that the client is gone', async () => {
    const exchange = new TestExchange();
    const body = writer();
    body.write(new Uint8Array(100_000));
    const { sent, done } = setUp().respond(exchange, [], body.pipe);
    exchange.answer!.body.cancel();
    expect(await valueOf(sent)).toEqual({ tag: 'err', val: { tag: 'connection-terminated' } });
    expect([body.cancelled, done()]).toEqual([true, true]);
  });

  it('is a 500 when the handler returns an error', () => {
    const { guest } = setUp();
    const exchange = new TestExchange();
    sendResponse03(guest, exchange, { tag: 'err', val: { tag: 'loop-detected' } as never });
    expect(exchange.answer).toMatchObject({ status: 500 });
    expect(guest.notes).toEqual(['the component answered with the error loop-detected']);
  });
});

describe('a request to a 0.3 guest', () => {
  it('shows its head, and gives body and trailers', async () => {
    const { http } = setUp();
    const exchange = new TestExchange('PUT', '/p?q', [['X-A', '1'], ['Connection', 'close']]);
    const request = incomingRequest03(exchange);
    expect(http('[method]request.get-method', request)).toEqual({ tag: 'put' });
    expect(http('[method]request.get-path-with-query', request)).toBe('/p?q');
    expect(http('[method]request.get-authority', request)).toBe('app.localhost:3000');
    expect(http('[method]fields.copy-all', http('[method]request.get-headers', request)).map(([name]: [string]) => name)).toEqual(['x-a']);
    const [stream, trailers] = http('[static]request.consume-body', request, hostFuture());
    const reading = readPipe(stream);
    exchange.requestBody.write(bytes('body'));
    exchange.requestBody.end([['x-t', '1']]);
    expect(await reading).toBe('body');
    const outcome = (await valueOf(trailers)) as { tag: string; val: unknown };
    expect(http('[method]fields.has', outcome.val, 'x-t')).toBe(true);
  });

  it('reports a body that broke', async () => {
    const { http } = setUp();
    const exchange = new TestExchange('PUT');
    const [stream, trailers] = http('[static]request.consume-body', incomingRequest03(exchange), hostFuture());
    exchange.requestBody.abort(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    expect(await readPipe(stream)).toBe('');
    expect(await valueOf(trailers)).toEqual({ tag: 'err', val: { tag: 'connection-terminated' } });
  });
});

describe('client.send of a 0.3 guest', () => {
  it('sends a small body with its length and gives the response', async () => {
    const { http, request, send } = setUp();
    const body = writer();
    body.write('ping');
    body.end();
    const { made, sent } = request('/post', { method: 'post', contents: body.pipe });
    const response = await send(made);
    expect(await valueOf(sent)).toEqual(NO_TRAILERS);
    expect(http('[method]response.get-status-code', response)).toBe(203);
    expect(text(http('[method]fields.get', http('[method]response.get-headers', response), 'x-len')[0])).toBe('4');
    const [stream, trailers] = http('[static]response.consume-body', response, hostFuture());
    expect(await readPipe(stream)).toBe('POST /post ping');
    expect(await valueOf(trailers)).toEqual(NO_TRAILERS);
  });

  it('passes a request on and its response back without a guest in between', async () => {
    const { guest, http, send } = setUp();
    const exchange = new TestExchange('POST', '/echo');
    const request = incomingRequest03(exchange);
    ok(http('[method]request.set-authority', request, `127.0.0.1:${server.port}`));
    const pending = send(request);
    exchange.requestBody.write(bytes('streamed '));
    const response = ok((await pending) as Response03);
    sendResponse03(guest, exchange, { tag: 'ok', val: response });
    exchange.requestBody.write(bytes('through'));
    exchange.requestBody.end();
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    expect(await drain(exchange.answer!.body)).toBe('streamed through');
  });

  it('gives errors as results', async () => {
    const denied = setUp([]);
    expect(await denied.send(denied.request('/').made)).toMatchObject({ payload: { tag: 'HTTP-request-denied' } });
    const { http, request, send } = setUp();
    const options = http('[constructor]request-options');
    expect(http('[method]request-options.set-first-byte-timeout', options, 30_000_000n)).toBeUndefined();
    const { made } = request('/silent', { options });
    expect(http('[method]request-options.set-first-byte-timeout', options, 1n)).toMatchObject({ payload: { tag: 'immutable' } });
    expect(http('[method]request.get-options', made)).toBe(options);
    expect(await send(made)).toMatchObject({ payload: { tag: 'HTTP-response-timeout' } });
  });

  it('stops when the guest cancels', async () => {
    const { request, send } = setUp();
    const arrived = once(server.server, 'request');
    const pending = send(request('/silent').made);
    await arrived;
    pending.abort();
    expect(await pending).toBeInstanceOf(Err);
  });

  it('closes the stream of a request that is dropped unsent', async () => {
    const { guest, request } = setUp();
    const body = writer();
    const { made, sent } = request('/', { contents: body.pipe });
    guest.host('wasi:http/types@0.3.0', '[resource-drop]request')(made);
    expect(body.cancelled).toBe(true);
    expect(await valueOf(sent)).toMatchObject({ tag: 'err' });
  });
});
