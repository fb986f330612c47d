import { describe, expect, it } from '@jest/globals';
import { BytePipe, EMPTY_SOURCE } from '#runtime/capability/byte-pipe.js';
import { EOF, type ByteSource, type HttpExchange } from '#runtime/capability/guest.js';
import { MeteredExchange } from './metered-exchange.js';

function setUp(body: ByteSource = new BytePipe(), limits = { requestBytes: 1_000, responseBytes: 1_000 }) {
  const answer = new BytePipe();
  const inner: HttpExchange = { method: 'GET', pathWithQuery: '/', scheme: 'http', authority: 'app.localhost', headers: [], body, respond: () => answer };
  return { exchange: new MeteredExchange(inner, limits), answer };
}

describe(MeteredExchange.name, () => {
  it('is broken when its answer is broken off while somebody listens', () => {
    const { exchange } = setUp();
    exchange.respond(200, []).abort(new Error('cut'));
    expect(exchange.broken).toBe(true);
  });

  it('is not broken when whoever asked has left before', () => {
    const { exchange, answer } = setUp();
    const sink = exchange.respond(200, []);
    answer.cancel();
    sink.abort(new Error('nobody there'));
    expect([exchange.broken, exchange.ended]).toEqual([false, true]);
  });

  it('is untouched when a body that is empty is read or dropped', () => {
    const { exchange } = setUp(EMPTY_SOURCE);
    expect(exchange.body.read(1)).toBe(EOF);
    exchange.body.cancel();
    expect(exchange.touched).toBe(false);
  });

  it('is touched when a body is read or dropped', () => {
    const [read, dropped] = [setUp().exchange, setUp().exchange];
    read.body.read(1);
    dropped.body.cancel();
    expect([read.touched, dropped.touched]).toEqual([true, true]);
  });

  it('breaks a body off that is longer than its component takes, and every read after that', () => {
    const body = new BytePipe();
    const { exchange } = setUp(body, { requestBytes: 10, responseBytes: 10 });
    body.write(Buffer.alloc(10));
    expect(exchange.body.read(100)).toHaveLength(10);
    body.write(Buffer.alloc(1));
    for (let i = 0; i < 2; i++) expect(() => exchange.body.read(100)).toThrow(expect.objectContaining({ httpCode: { tag: 'HTTP-request-body-size', val: 10n } }));
    expect(exchange.overrun).toMatchObject({ code: 'COMPONENT_REQUEST_TOO_LARGE' });
    expect(body.closed).toBe(true);
  });

  it('breaks an answer off that is longer than its component may send, and takes no more of it', () => {
    const { exchange, answer } = setUp(undefined, { requestBytes: 10, responseBytes: 10 });
    const sink = exchange.respond(200, []);
    sink.write(Buffer.alloc(10));
    expect(sink.closed).toBe(false);
    sink.write(Buffer.alloc(1));
    sink.write(Buffer.alloc(5));
    sink.end();
    expect(sink.closed).toBe(true);
    expect(exchange).toMatchObject({ broken: true, bytesOut: 10, overrun: { code: 'COMPONENT_RESPONSE_TOO_LARGE' } });
    expect(() => answer.read(100)).toThrow('broken off after 10 bytes');
  });
});
