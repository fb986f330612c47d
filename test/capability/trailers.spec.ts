import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { responseOutparam02 } from '#runtime/capability/http/server-02.js';
import { bytes, drain, ok, TestExchange, TestGuest, text } from './guest-state.js';

let server: Server;
let authority: string;
let got: { method: string; url: string; headers: IncomingHttpHeaders; trailers: NodeJS.Dict<string>; body: string }[];
let guest: TestGuest;
beforeEach(async () => {
  got = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => {
      got.push({ method: request.method!, url: request.url!, headers: request.headers, trailers: request.trailers, body });
      response.writeHead(200, { trailer: 'x-back' });
      response.write('answer');
      response.addTrailers({ 'x-back': '1' });
      response.end();
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  guest = new TestGuest({ allowedOutboundHosts: ['http://127.0.0.1:*'] });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  guest.dispose();
});

const http = (name: string, ...args: unknown[]) => guest.calls('wasi:http/types@0.2.0')(name, ...args);
const io = (name: string, ...args: unknown[]) => guest.calls('wasi:io/streams@0.2.0')(name, ...args);
const fieldsOf = (entries: [string, string][]) => ok(http('[static]fields.from-list', entries.map(([name, value]) => [name, bytes(value)])));

async function post(headers: [string, string][], trailers: [string, string][], to = authority) {
  const request = http('[constructor]outgoing-request', fieldsOf(headers));
  ok(http('[method]outgoing-request.set-method', request, { tag: 'post' }));
  ok(http('[method]outgoing-request.set-scheme', request, { tag: 'HTTP' }));
  ok(http('[method]outgoing-request.set-authority', request, to));
  ok(http('[method]outgoing-request.set-path-with-query', request, '/sum?x'));
  const body = ok(http('[method]outgoing-request.body', request));
  const stream = ok(http('[method]outgoing-body.write', body));
  const future = ok(guest.calls('wasi:http/outgoing-handler@0.2.0')('handle', request, undefined));
  await io('[method]output-stream.blocking-write-and-flush', stream, bytes('hello'));
  ok(http('[static]outgoing-body.finish', body, fieldsOf(trailers)));
  await guest.calls('wasi:io/poll@0.2.0')('[method]pollable.block', future);
  return http('[method]future-incoming-response.get', future).val;
}

describe('trailers of a guest', () => {
  it('are sent with a request that says that they come, and the answer has its own', async () => {
    const { tag, val: response } = await post([['Trailer', 'x-sum'], ['x-a', '1'], ['x-a', '2']], [['x-sum', '5'], ['content-length', '9'], ['Authorization', 'no']]);
    expect(tag).toBe('ok');
    expect(got).toEqual([expect.objectContaining({ method: 'POST', url: '/sum?x', body: 'hello', trailers: { 'x-sum': '5' } })]);
    expect(got[0]!.headers).toMatchObject({ 'host': authority, 'x-a': '1, 2', 'transfer-encoding': 'chunked', 'trailer': 'x-sum' });
    expect(http('[method]incoming-response.status', response)).toBe(200);
    const body = ok(http('[method]incoming-response.consume', response));
    expect(text(await io('[method]input-stream.blocking-read', ok(http('[method]incoming-body.stream', body)), 100n))).toBe('answer');
    const trailers = http('[static]incoming-body.finish', body);
    await guest.calls('wasi:io/poll@0.2.0')('[method]pollable.block', trailers);
    expect(http('[method]fields.entries', http('[method]future-trailers.get', trailers).val.val).map(([name, value]: [string, string]) => [name, text(value)])).toEqual([['x-back', '1']]);
  });

  it('are left out of a request that did not announce them', async () => {
    expect(await post([], [['x-sum', '5']])).toMatchObject({ tag: 'ok' });
    expect(got).toEqual([expect.objectContaining({ body: 'hello', trailers: {} })]);
  });

  it('do not change how errors are told', async () => {
    server.close();
    server.closeAllConnections();
    expect(await post([['trailer', 'x-sum']], [['x-sum', '5']])).toEqual({ tag: 'err', val: { tag: 'connection-refused' } });
    const narrow = new TestGuest({ allowedOutboundHosts: ['http://127.0.0.1:*'], allowPrivateHosts: false });
    guest.dispose();
    guest = narrow;
    expect(await post([['trailer', 'x-sum']], [['x-sum', '5']])).toEqual({ tag: 'err', val: { tag: 'destination-IP-prohibited' } });
  });

  it('of a response say nothing of how it is framed', async () => {
    const exchange = new TestExchange();
    const response = http('[constructor]outgoing-response', fieldsOf([]));
    const body = ok(http('[method]outgoing-response.body', response));
    http('[static]response-outparam.set', responseOutparam02(exchange), { tag: 'ok', val: response });
    ok(http('[static]outgoing-body.finish', body, fieldsOf([['x-sum', '5'], ['Content-Length', '3'], ['trailer', 'x'], ['host', 'h'], ['set-cookie', 'a=b']])));
    expect(await drain(exchange.answer!.body)).toBe('');
    expect(exchange.answer!.body.trailers()).toEqual([['x-sum', '5']]);
  });
});
