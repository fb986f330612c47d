import { describe, expect, it } from '@jest/globals';
import { BytePipe, EMPTY_SOURCE } from '#runtime/capability/byte-pipe.js';
import { EOF, type ByteSource, type HttpExchange } from '#runtime/capability/guest.js';
import { MeteredExchange } from './metered-exchange.js';

function setUp(body: ByteSource = new BytePipe()) {
  const answer = new BytePipe();
  const inner: HttpExchange = { method: 'GET', pathWithQuery: '/', scheme: 'http', authority: 'app.localhost', headers: [], body, respond: () => answer };
  return { exchange: new MeteredExchange(inner), answer };
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
});
