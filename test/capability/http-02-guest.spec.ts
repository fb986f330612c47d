import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { incomingRequest02, responseOutparam02 } from '#runtime/capability/http/server-02.js';
import { IoError } from '#runtime/capability/io/io-error.js';
import { bytes, drain, TestExchange, TestGuest, text } from './guest-state.js';
import { InterfaceGuests, notCalled, okOf } from './interface-guest.js';

const RC_10_18 = '0.2.0-rc-2023-10-18';
const RC_11_10 = '0.2.0-rc-2023-11-10';

let server: Server;
let authority: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/slow') return;
    response.setHeader('trailer', 'x-sum');
    response.writeHead(201, { 'x-method': request.method!, 'x-got': String(request.headers['x-a']) });
    request.on('data', (chunk) => response.write(chunk));
    request.on('end', () => {
      response.addTrailers({ 'x-sum': '7' });
      response.end();
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

let guest: TestGuest;
let guests: InterfaceGuests;
beforeEach(() => {
  guest = new TestGuest({ allowedOutboundHosts: ['http://127.0.0.1:*'] });
  guests = new InterfaceGuests(guest);
});
afterEach(() => guest.dispose());
afterAll(() => expect(notCalled().filter((each) => each.includes('wasi:http/'))).toEqual([]));

const textOf = (values: (Uint8Array | string)[]) => values.map(text);
const NS = 1_000_000n;

describe.each([RC_10_18, RC_11_10, '0.2.12'])('a guest of wasi:http@%s', (version) => {
  const [is1018, is1110] = [version === RC_10_18, version === RC_11_10];
  const wasi = (name: string) => guests.of(`wasi:${name}@${version}`);
  const types = () => wasi('http/types');
  const newFields = async (entries: [string, Uint8Array][]) =>
    (is1018 ? types()('[constructor]fields', entries) : okOf(await types()('[static]fields.from-list', entries)));
  const block = async (pollable: unknown) => (is1018 ? wasi('io/poll')('poll-one', pollable) : wasi('io/poll')('[method]pollable.block', pollable));

  it('makes header fields, and is told what is none', async () => {
    const http = types();
    const fields = await newFields([['X-A', bytes('1')], ['x-b', bytes('2')]]);
    await http('[method]fields.append', fields, 'x-a', bytes('3'));
    expect(textOf(await http('[method]fields.get', fields, 'x-A'))).toEqual(['1', '3']);
    const copy = await http('[method]fields.clone', fields);
    await http('[method]fields.set', fields, 'x-a', [bytes('4')]);
    await http('[method]fields.delete', fields, 'x-b');
    expect((await http('[method]fields.entries', fields)).map(([name, value]: [string, Uint8Array]) => [name, text(value)])).toEqual([['x-a', '4']]);
    expect(await http('[method]fields.entries', copy)).toHaveLength(3);
    if (is1018) {
      await expect(http('[method]fields.set', fields, 'connection', [bytes('close')])).rejects.toThrow('forbidden');
      return;
    }
    if (!is1110) expect([await http('[method]fields.has', fields, 'X-a'), await http('[method]fields.has', fields, 'x-b')]).toEqual([true, false]);
    expect(await http('[constructor]fields')).toBeDefined();
    expect(await http('[method]fields.set', fields, 'connection', [bytes('close')])).toEqual({ tag: 'err', val: { tag: 'forbidden' } });
    expect(await http('[method]fields.append', fields, 'a b', bytes('1'))).toEqual({ tag: 'err', val: { tag: 'invalid-syntax' } });
    expect(await http('[method]fields.append', fields, 'a', bytes('1\r\nb: 2'))).toEqual({ tag: 'err', val: { tag: 'invalid-syntax' } });
    expect(await http('[static]fields.from-list', [['transfer-encoding', bytes('chunked')]])).toEqual({ tag: 'err', val: { tag: 'forbidden' } });
  });

  it('sees a request, its body and its trailers', async () => {
    const http = types();
    const exchange = new TestExchange('PURGE', '/a?b', [['X-Two', '1'], ['x-two', '2'], ['connection', 'close']]);
    exchange.requestBody.write(bytes('body'));
    exchange.requestBody.end([['x-sum', '9']]);
    const request = incomingRequest02(exchange);
    expect(await http('[method]incoming-request.method', request)).toEqual({ tag: 'other', val: 'PURGE' });
    expect(await http('[method]incoming-request.path-with-query', request)).toBe('/a?b');
    expect(await http('[method]incoming-request.scheme', request)).toEqual({ tag: 'HTTP' });
    expect(await http('[method]incoming-request.authority', request)).toBe('app.localhost:3000');
    const fields = await http('[method]incoming-request.headers', request);
    expect(textOf(await http('[method]fields.get', fields, 'x-two'))).toEqual(['1', '2']);
    expect(await http('[method]fields.get', fields, 'connection')).toEqual([]);
    if (!is1018) expect(await http('[method]fields.append', fields, 'x-two', bytes('3'))).toEqual({ tag: 'err', val: { tag: 'immutable' } });
    const body = okOf(await http('[method]incoming-request.consume', request));
    expect((await http('[method]incoming-request.consume', request)).tag).toBe('err');
    const stream = okOf(await http('[method]incoming-body.stream', body));
    expect((await http('[method]incoming-body.stream', body)).tag).toBe('err');
    expect(text(okOf(await wasi('io/streams')('[method]input-stream.blocking-read', stream, 100n)))).toBe('body');
    const trailers = await http('[static]incoming-body.finish', body);
    await block(await http('[method]future-trailers.subscribe', trailers));
    const got = await http('[method]future-trailers.get', trailers);
    const found = okOf(is1018 || is1110 ? got : okOf(got));
    expect(textOf(await http('[method]fields.get', found, 'x-sum'))).toEqual(['9']);
    if (is1018 || is1110) await expect(http('[method]future-trailers.get', trailers)).rejects.toThrow('given already');
    else expect(await http('[method]future-trailers.get', trailers)).toEqual({ tag: 'err' });
  });

  if (!is1018 && !is1110) it('answers in the interim', async () => {
    const http = types();
    const exchange = new TestExchange();
    const inform = async (status: number, entries: [string, Uint8Array][] = []) =>
      http('[method]response-outparam.send-informational', responseOutparam02(exchange), status, await newFields(entries));
    expect(await inform(103, [['link', bytes('</a.css>')]])).toEqual({ tag: 'ok' });
    expect(await inform(102)).toEqual({ tag: 'ok' });
    expect(exchange.informed).toEqual([[103, [['link', '</a.css>']]], [102, []]]);
    for (const status of [99, 101, 200]) expect(await inform(status)).toMatchObject({ tag: 'err', val: { tag: 'internal-error' } });
    expect(await inform(103, [['content-length', bytes('1')]])).toMatchObject({ tag: 'err' });
    expect(exchange.informed).toHaveLength(2);
  });

  it('answers with a body and trailers', async () => {
    const http = types();
    const exchange = new TestExchange();
    const fields = await newFields([['x-a', bytes('1')]]);
    const response = await (is1018 ? http('[constructor]outgoing-response', 404, fields) : http('[constructor]outgoing-response', fields));
    if (!is1018) {
      expect(await http('[method]outgoing-response.status-code', response)).toBe(200);
      expect(await http('[method]outgoing-response.set-status-code', response, 99)).toEqual({ tag: 'err' });
      okOf(await http('[method]outgoing-response.set-status-code', response, 404));
      expect(await http('[method]fields.delete', await http('[method]outgoing-response.headers', response), 'x-a')).toEqual({ tag: 'err', val: { tag: 'immutable' } });
    }
    const body = okOf(await http(`[method]outgoing-response.${is1018 ? 'write' : 'body'}`, response));
    await http('[static]response-outparam.set', responseOutparam02(exchange), { tag: 'ok', val: response });
    const stream = okOf(await http('[method]outgoing-body.write', body));
    okOf(await wasi('io/streams')('[method]output-stream.blocking-write-and-flush', stream, bytes('answer')));
    const finished = await http('[static]outgoing-body.finish', body, await newFields([['x-sum', bytes('6')]]));
    expect(finished).toEqual(is1018 ? undefined : { tag: 'ok' });
    expect(exchange.answer).toMatchObject({ status: 404, headers: [['x-a', '1']] });
    expect(await drain(exchange.answer!.body)).toBe('answer');
    expect(exchange.answer!.body.trailers()).toEqual([['x-sum', '6']]);
  });

  it('answers with an error', async () => {
    const exchange = new TestExchange();
    const error = is1018 ? { tag: 'protocol-error', val: 'why' } : { tag: 'HTTP-response-trailer-size', val: { fieldName: 'a', fieldSize: 1 } };
    await types()('[static]response-outparam.set', responseOutparam02(exchange), { tag: 'err', val: error });
    expect(exchange.answer).toMatchObject({ status: 500, headers: [['content-length', '0']] });
    expect(guest.notes).toEqual([`the component answered with the error ${is1018 ? 'internal-error (protocol-error: why)' : 'HTTP-response-trailer-size'}`]);
  });

  const newRequest = async (path: string, method = { tag: 'post' }) => {
    const http = types();
    const fields = await newFields([['x-a', bytes('1')]]);
    if (is1018) return http('[constructor]outgoing-request', method, path, { tag: 'HTTP' }, authority, fields);
    const request = await http('[constructor]outgoing-request', fields);
    okOf(await http('[method]outgoing-request.set-method', request, method));
    okOf(await http('[method]outgoing-request.set-path-with-query', request, path));
    okOf(await http('[method]outgoing-request.set-scheme', request, { tag: 'HTTP' }));
    okOf(await http('[method]outgoing-request.set-authority', request, authority));
    return request;
  };

  it('sends a request with a body, and reads the answer, its fields and trailers', async () => {
    const http = types();
    const request = await newRequest('/path?query');
    const body = okOf(await http(`[method]outgoing-request.${is1018 ? 'write' : 'body'}`, request));
    const stream = okOf(await http('[method]outgoing-body.write', body));
    const future = okOf(await wasi('http/outgoing-handler')('handle', request, undefined));
    okOf(await wasi('io/streams')('[method]output-stream.blocking-write-and-flush', stream, bytes('sent')));
    await http('[static]outgoing-body.finish', body, undefined);
    await block(await http('[method]future-incoming-response.subscribe', future));
    const response = okOf(okOf(await http('[method]future-incoming-response.get', future)));
    expect(await http('[method]future-incoming-response.get', future)).toEqual({ tag: 'err' });
    expect(await http('[method]incoming-response.status', response)).toBe(201);
    const fields = await http('[method]incoming-response.headers', response);
    expect([...textOf(await http('[method]fields.get', fields, 'x-method')), ...textOf(await http('[method]fields.get', fields, 'x-got'))]).toEqual(['POST', '1']);
    const incoming = okOf(await http('[method]incoming-response.consume', response));
    const input = okOf(await http('[method]incoming-body.stream', incoming));
    expect(text(okOf(await wasi('io/streams')('[method]input-stream.blocking-read', input, 100n)))).toBe('sent');
    const trailers = await http('[static]incoming-body.finish', incoming);
    await block(await http('[method]future-trailers.subscribe', trailers));
    const got = await http('[method]future-trailers.get', trailers);
    expect(textOf(await http('[method]fields.get', okOf(is1018 || is1110 ? got : okOf(got)), 'x-sum'))).toEqual(['7']);
  });

  it('is told why there is no answer, by the future', async () => {
    const http = types();
    const denied = async () => {
      const future = okOf(await wasi('http/outgoing-handler')('handle', await newRequest('/'), undefined));
      await block(await http('[method]future-incoming-response.subscribe', future));
      return okOf(await http('[method]future-incoming-response.get', future));
    };
    guest = new TestGuest({ allowedOutboundHosts: [] });
    guests = new InterfaceGuests(guest);
    expect(await denied()).toEqual({ tag: 'err', val: is1018 ? { tag: 'unexpected-error', val: 'ErrorCode::HttpRequestDenied' } : { tag: 'HTTP-request-denied' } });
  });

  it('waits no longer than its options say', async () => {
    const http = types();
    const future = async (options: unknown) => okOf(await wasi('http/outgoing-handler')('handle', await newRequest('/slow', { tag: 'get' }), options));
    let sent: unknown;
    if (is1018) sent = await future({ connectTimeoutMs: 1_000, firstByteTimeoutMs: 30, betweenBytesTimeoutMs: undefined });
    else {
      const ms = is1110 ? '-ms' : '';
      const options = await http('[constructor]request-options');
      expect(await http(`[method]request-options.first-byte-timeout${ms}`, options)).toBeUndefined();
      for (const name of ['connect', 'first-byte', 'between-bytes']) okOf(await http(`[method]request-options.set-${name}-timeout${ms}`, options, 30n * NS));
      for (const name of ['connect', 'first-byte', 'between-bytes']) expect(await http(`[method]request-options.${name}-timeout${ms}`, options)).toBe(30n * NS);
      okOf(await http(`[method]request-options.set-connect-timeout${ms}`, options, undefined));
      sent = await future(options);
    }
    await block(await http('[method]future-incoming-response.subscribe', sent));
    expect(okOf(await http('[method]future-incoming-response.get', sent))).toEqual({
      tag: 'err', val: is1018 ? { tag: 'unexpected-error', val: 'ErrorCode::HttpResponseTimeout' } : { tag: 'HTTP-response-timeout' },
    });
  });

  if (is1018) {
    it('traps where this version has no word for what is wrong', async () => {
      const fields = await newFields([]);
      await expect(types()('[constructor]outgoing-request', { tag: 'other', val: 'a b' }, '/', undefined, undefined, fields)).rejects.toThrow('with a method, which is none');
      const next = new InterfaceGuests(guest).of(`wasi:http/types@${version}`);
      await expect(next('[constructor]outgoing-response', 20, fields)).rejects.toThrow('with a status code, which is none');
    });
    return;
  }

  it('looks at what it is about to send, and is refused what HTTP cannot carry', async () => {
    const http = types();
    const request = await newRequest('/p');
    expect(await http('[method]outgoing-request.method', request)).toEqual({ tag: 'post' });
    expect(await http('[method]outgoing-request.path-with-query', request)).toBe('/p');
    expect(await http('[method]outgoing-request.scheme', request)).toEqual({ tag: 'HTTP' });
    expect(await http('[method]outgoing-request.authority', request)).toBe(authority);
    expect(await http('[method]fields.entries', await http('[method]outgoing-request.headers', request))).toHaveLength(1);
    expect(await http('[method]outgoing-request.set-method', request, { tag: 'other', val: 'a b' })).toEqual({ tag: 'err' });
    expect(await http('[method]outgoing-request.set-path-with-query', request, '/a b')).toEqual({ tag: 'err' });
    expect(await http('[method]outgoing-request.set-scheme', request, { tag: 'other', val: '1:' })).toEqual({ tag: 'err' });
    expect(await http('[method]outgoing-request.set-authority', request, 'user@host')).toEqual({ tag: 'err' });
  });

  it('asks for the code of an error of a stream', async () => {
    expect(await types()('http-error-code', new IoError('broken', { tag: 'HTTP-response-incomplete' }))).toEqual({ tag: 'HTTP-response-incomplete' });
    expect(await types()('http-error-code', new IoError('other'))).toBeUndefined();
  });
});
