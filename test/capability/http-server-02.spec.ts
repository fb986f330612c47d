import { afterEach, describe, expect, it } from '@jest/globals';
import { Err } from '#engine/run/host.js';
import { EOF } from '#runtime/capability/guest.js';
import { incomingRequest02, responseOutparam02 } from '#runtime/capability/http/server-02.js';
import { bytes, drain, header, ok, TestExchange, TestGuest, text } from './guest-state.js';

const guests: TestGuest[] = [];
function setUp(exchange = new TestExchange()) {
  const guest = new TestGuest();
  guests.push(guest);
  const http = guest.calls('wasi:http/types@0.2.3');
  const io = guest.calls('wasi:io/streams@0.2.3');
  const outparam = responseOutparam02(exchange);
  const response = (headers: [string, string][] = [], status = 200) => {
    const made = http('[constructor]outgoing-response', ok(http('[static]fields.from-list', headers.map(([name, value]) => [name, bytes(value)]))));
    ok(http('[method]outgoing-response.set-status-code', made, status));
    return made;
  };
  const answer = (made: unknown) => http('[static]response-outparam.set', outparam, { tag: 'ok', val: made });
  const open = (made: unknown) => {
    const body = ok(http('[method]outgoing-response.body', made));
    return { body, stream: ok(http('[method]outgoing-body.write', body)) };
  };
  return { guest, http, io, exchange, outparam, response, answer, open };
}

afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

describe('an answer of a 0.2 guest', () => {
  it('leaves in one go with its length when it is small', () => {
    const { http, io, exchange, outparam, response, answer, open } = setUp();
    const made = response([['content-type', 'text/plain']], 201);
    const { body, stream } = open(made);
    expect(outparam.answered).toBe(false);
    answer(made);
    expect(outparam.answered).toBe(true);
    expect(io('[method]output-stream.write', stream, bytes('hello '))).toBeUndefined();
    io('[method]output-stream.write', stream, bytes('world'));
    expect(io('[method]output-stream.blocking-flush', stream)).toBeUndefined();
    expect(exchange.answer).toBeNull();
    ok(http('[static]outgoing-body.finish', body, undefined));
    expect(exchange.answer).toMatchObject({ status: 201, headers: [['content-type', 'text/plain'], ['content-length', '11']] });
    expect(text(exchange.answer!.body.read(100) as Uint8Array)).toBe('hello world');
    expect(exchange.answer!.body.read(100)).toBe(EOF);
  });

  it('says no length when the guest wrote through before it knew one, as where it leaves piece by piece', async () => {
    const { http, io, exchange, response, answer, open } = setUp();
    const made = response();
    const { body, stream } = open(made);
    io('[method]output-stream.blocking-write-and-flush', stream, bytes('hello '));
    io('[method]output-stream.blocking-write-and-flush', stream, bytes('world'));
    ok(http('[static]outgoing-body.finish', body, undefined));
    answer(made);
    expect(exchange.answer!.headers).toEqual([]);
    expect(await drain(exchange.answer!.body)).toBe('hello world');
  });

  it('may be written before it is set', async () => {
    const { http, io, exchange, response, answer, open } = setUp();
    const made = response();
    const { body, stream } = open(made);
    io('[method]output-stream.write', stream, bytes('early'));
    ok(http('[static]outgoing-body.finish', body, undefined));
    answer(made);
    expect(header(exchange.answer!.headers, 'content-length')).toBe('5');
    expect(await drain(exchange.answer!.body)).toBe('early');
  });

  it('takes no more than a bounded part before it is set', () => {
    const { io, response, open } = setUp();
    const { stream } = open(response());
    let permit = io('[method]output-stream.check-write', stream) as bigint;
    while (permit > 0n) {
      io('[method]output-stream.write', stream, new Uint8Array(Number(permit)));
      permit = io('[method]output-stream.check-write', stream) as bigint;
    }
    expect(permit).toBe(0n);
    expect(() => io('[method]output-stream.write', stream, new Uint8Array(1))).toThrow('more bytes than check-write permits');
  });

  it.each([
    ['GET', 200, '0'],
    ['GET', 404, '0'],
    ['GET', 204, undefined],
    ['GET', 304, undefined],
    ['HEAD', 200, undefined],
  ])('to %s with status %s whose body was never taken has content-length %s', async (method, status, length) => {
    const { exchange, response, answer } = setUp(new TestExchange(method));
    answer(response([], status));
    expect(header(exchange.answer!.headers, 'content-length')).toBe(length);
    expect(await drain(exchange.answer!.body)).toBe('');
  });

  it('goes out before its body is finished when the guest waits', async () => {
    const { guest, io, exchange, response, answer, open } = setUp();
    const made = response();
    const { stream } = open(made);
    answer(made);
    io('[method]output-stream.write', stream, bytes('first'));
    const timer = guest.calls('wasi:clocks/monotonic-clock@0.2.3')('subscribe-duration', 5_000_000n);
    const wait = guest.calls('wasi:io/poll@0.2.3')('poll', [timer]);
    expect(exchange.answer).not.toBeNull();
    expect(header(exchange.answer!.headers, 'content-length')).toBeUndefined();
    expect(text(exchange.answer!.body.read(100) as Uint8Array)).toBe('first');
    expect(await wait).toEqual(Uint32Array.of(0));
  });

  it('feels a slow client: no permit until it reads on', async () => {
    const { io, exchange, response, answer, open } = setUp();
    const made = response();
    const { stream } = open(made);
    answer(made);
    const flushed = io('[method]output-stream.blocking-write-and-flush', stream, new Uint8Array(600_000));
    expect(flushed).toBeInstanceOf(Promise);
    expect(io('[method]output-stream.check-write', stream)).toBe(0n);
    let done = false;
    flushed.then(() => { done = true; });
    await new Promise(setImmediate);
    expect(done).toBe(false);
    while (exchange.answer!.body.read(65536) !== null) { /* the client reads all there is */ }
    expect(await flushed).toBeUndefined();
    expect(io('[method]output-stream.check-write', stream)).toBeGreaterThan(0n);
  });

  it('tells the guest that the client is gone', () => {
    const { io, exchange, response, answer, open } = setUp();
    const made = response();
    const { stream } = open(made);
    answer(made);
    io('[method]output-stream.write', stream, new Uint8Array(100_000));
    exchange.answer!.body.cancel();
    expect(io('[method]output-stream.check-write', stream)).toMatchObject({ payload: { tag: 'closed' } });
  });

  it('may not be longer than it declares', () => {
    const { http, io, exchange, response, answer, open } = setUp();
    const made = response([['content-length', '3']]);
    const { stream } = open(made);
    answer(made);
    const failed = io('[method]output-stream.write', stream, bytes('four'));
    expect(failed).toBeInstanceOf(Err);
    expect(failed.payload.tag).toBe('last-operation-failed');
    expect(http('http-error-code', failed.payload.val)).toEqual({ tag: 'HTTP-response-body-size', val: 4n });
    expect(io('[method]output-stream.check-write', stream)).toMatchObject({ payload: { tag: 'closed' } });
    expect(exchange.answer).toBeNull();
  });

  it('may not be shorter than it declares', () => {
    const { http, io, exchange, response, answer, open } = setUp();
    const made = response([['content-length', '10']]);
    const { body, stream } = open(made);
    answer(made);
    io('[method]output-stream.write', stream, bytes('four'));
    expect(http('[static]outgoing-body.finish', body, undefined)).toMatchObject({ payload: { tag: 'HTTP-response-body-size', val: 4n } });
    expect(exchange.answer).toBeNull();
  });

  it('to HEAD may declare the length of what GET would have', async () => {
    const { http, exchange, response, answer, open } = setUp(new TestExchange('HEAD'));
    const made = response([['content-length', '10']]);
    const { body } = open(made);
    answer(made);
    expect(http('[static]outgoing-body.finish', body, undefined)).toBeUndefined();
    expect(header(exchange.answer!.headers, 'content-length')).toBe('10');
    expect(await drain(exchange.answer!.body)).toBe('');
  });

  it('is broken off when the body is dropped unfinished', () => {
    const { guest, http, io, exchange, response, answer, open } = setUp();
    const made = response();
    const { body, stream } = open(made);
    answer(made);
    io('[method]output-stream.write', stream, new Uint8Array(100_000));
    guest.host('wasi:http/types@0.2.3', '[resource-drop]outgoing-body')(body);
    expect(exchange.answer).not.toBeNull();
    expect(() => exchange.answer!.body.read(1)).toThrow('dropped before it was finished');
    expect(http('[static]outgoing-body.finish', body, undefined)).toBeUndefined();
  });

  it('stays with the owner of the exchange when it breaks before the head is sent', () => {
    const { guest, exchange, response, answer, open } = setUp();
    const made = response();
    open(made);
    answer(made);
    guest.next();
    expect(exchange.answer).toBeNull();
  });

  it('is broken off when the slot is reset', () => {
    const { guest, io, exchange, response, answer, open } = setUp();
    const made = response();
    const { stream } = open(made);
    answer(made);
    io('[method]output-stream.write', stream, new Uint8Array(100_000));
    guest.next();
    expect(() => exchange.answer!.body.read(1)).toThrow('ended before its answer did');
  });

  it('is a 500 with a note when the guest answers with an error or an impossible head', () => {
    for (const fault of [
      () => ({ tag: 'err', val: { tag: 'internal-error', val: 'oops' } }),
      ({ response }: ReturnType<typeof setUp>) => ({ tag: 'ok', val: response([], 101) }),
      ({ response }: ReturnType<typeof setUp>) => ({ tag: 'ok', val: response([['content-length', '1'], ['content-length', '2']]) }),
    ]) {
      const at = setUp();
      at.http('[static]response-outparam.set', at.outparam, fault(at));
      expect(at.exchange.answer).toMatchObject({ status: 500, headers: [['content-length', '0']] });
      expect(at.guest.notes).toHaveLength(1);
    }
  });

  it('carries trailers', async () => {
    const { http, io, exchange, response, answer, open } = setUp();
    const made = response();
    const { body, stream } = open(made);
    answer(made);
    io('[method]output-stream.write', stream, bytes('x'));
    ok(http('[static]outgoing-body.finish', body, http('[static]fields.from-list', [['x-sum', bytes('1')]])));
    expect(header(exchange.answer!.headers, 'content-length')).toBeUndefined();
    expect(await drain(exchange.answer!.body)).toBe('x');
    expect(exchange.answer!.body.trailers()).toEqual([['x-sum', '1']]);
  });

  it('passes a request on by splice, without the guest touching a byte', async () => {
    const exchange = new TestExchange('POST');
    const { http, io, response, answer, open } = setUp(exchange);
    const input = ok(http('[method]incoming-body.stream', ok(http('[method]incoming-request.consume', incomingRequest02(exchange)))));
    const made = response();
    const { body, stream } = open(made);
    answer(made);
    exchange.requestBody.write(bytes('some '));
    expect(await io('[method]output-stream.blocking-splice', stream, input, 100n)).toBe(5n);
    const waiting = io('[method]output-stream.blocking-splice', stream, input, 100n);
    exchange.requestBody.write(bytes('bytes'));
    expect(await waiting).toBe(5n);
    expect(io('[method]output-stream.splice', stream, input, 100n)).toBe(0n);
    exchange.requestBody.end();
    expect(io('[method]output-stream.splice', stream, input, 100n)).toMatchObject({ payload: { tag: 'closed' } });
    io('[method]output-stream.write-zeroes', stream, 2n);
    ok(http('[static]outgoing-body.finish', body, undefined));
    expect(await drain(exchange.answer!.body)).toBe('some bytes\0\0');
  });
});

describe('a request to a 0.2 guest', () => {
  it('shows method, path, authority and fields', () => {
    const exchange = new TestExchange('PATCH', '/a?b=c', [['Host', 'app'], ['X-Two', 'a'], ['x-two', 'b'], ['Connection', 'close']]);
    const { http } = setUp(exchange);
    const request = incomingRequest02(exchange);
    expect(http('[method]incoming-request.method', request)).toEqual({ tag: 'patch' });
    expect(http('[method]incoming-request.path-with-query', request)).toBe('/a?b=c');
    expect(http('[method]incoming-request.scheme', request)).toEqual({ tag: 'HTTP' });
    expect(http('[method]incoming-request.authority', request)).toBe('app.localhost:3000');
    const fields = http('[method]incoming-request.headers', request);
    expect(http('[method]fields.get', fields, 'X-TWO').map(text)).toEqual(['a', 'b']);
    expect(http('[method]fields.has', fields, 'connection')).toBe(false);
    expect(http('[method]fields.delete', fields, 'x-two')).toMatchObject({ payload: { tag: 'immutable' } });
    expect(http('[method]incoming-request.method', incomingRequest02(new TestExchange('BREW')))).toEqual({ tag: 'other', val: 'BREW' });
  });

  it('gives its body once, as it arrives, then its trailers', async () => {
    const exchange = new TestExchange('POST');
    const { guest, http, io } = setUp(exchange);
    const poll = guest.calls('wasi:io/poll@0.2.3');
    const request = incomingRequest02(exchange);
    const body = ok(http('[method]incoming-request.consume', request));
    expect(http('[method]incoming-request.consume', request)).toBeInstanceOf(Err);
    const stream = ok(http('[method]incoming-body.stream', body));
    expect(http('[method]incoming-body.stream', body)).toBeInstanceOf(Err);
    expect(io('[method]input-stream.read', stream, 10n)).toHaveLength(0);
    expect(poll('[method]pollable.ready', io('[method]input-stream.subscribe', stream))).toBe(false);
    const waiting = io('[method]input-stream.blocking-read', stream, 3n);
    exchange.requestBody.write(bytes('abcdef'));
    expect(text(await waiting)).toBe('abc');
    expect(io('[method]input-stream.skip', stream, 1n)).toBe(1n);
    expect(text(io('[method]input-stream.blocking-read', stream, 100n))).toBe('ef');
    const trailers = http('[static]incoming-body.finish', body);
    expect(http('[method]future-trailers.get', trailers)).toBeUndefined();
    const blocked = poll('[method]pollable.block', http('[method]future-trailers.subscribe', trailers));
    exchange.requestBody.write(bytes('dropped'));
    exchange.requestBody.end([['x-t', '1']]);
    await blocked;
    const { val } = http('[method]future-trailers.get', trailers);
    expect(http('[method]fields.entries', val.val).map(([name, value]: [string, Uint8Array]) => [name, text(value)])).toEqual([['x-t', '1']]);
    expect(http('[method]future-trailers.get', trailers)).toEqual({ tag: 'err', val: undefined });
    expect(io('[method]input-stream.read', stream, 10n)).toMatchObject({ payload: { tag: 'closed' } });
  });

  it('reports a body that broke, then a closed stream', () => {
    const exchange = new TestExchange('POST');
    const { guest, http, io } = setUp(exchange);
    const stream = ok(http('[method]incoming-body.stream', ok(http('[method]incoming-request.consume', incomingRequest02(exchange)))));
    exchange.requestBody.abort(new Error('reset by peer'));
    const failed = io('[method]input-stream.read', stream, 10n);
    expect(failed.payload.tag).toBe('last-operation-failed');
    expect(guest.calls('wasi:io/error@0.2.3')('[method]error.to-debug-string', failed.payload.val)).toBe('reset by peer');
    expect(io('[method]input-stream.read', stream, 10n)).toMatchObject({ payload: { tag: 'closed' } });
  });

  it('does not keep a guest waiting past the end of its invocation', async () => {
    const exchange = new TestExchange('POST');
    const { guest, http, io } = setUp(exchange);
    const stream = ok(http('[method]incoming-body.stream', ok(http('[method]incoming-request.consume', incomingRequest02(exchange)))));
    const waiting = io('[method]input-stream.blocking-read', stream, 3n);
    guest.hangUp();
    await expect(waiting).rejects.toThrow('cancelled while it waited');
    await expect(io('[method]input-stream.blocking-read', stream, 3n)).rejects.toThrow('cancelled');
    guest.next({ deadlineAt: Date.now() - 1 });
    const late = io('[method]input-stream.blocking-read', stream, 3n);
    guest.hangUp();
    await expect(late).rejects.toMatchObject({ limit: 'wall' });
  });
});
