import { afterEach, describe, expect, it } from '@jest/globals';
import { EOF, type HttpExchange, type Invocation } from '#runtime/capability/guest.js';
import { bytes, drain, header, ok, TestGuest, text } from './guest-state.js';

const guests: TestGuest[] = [];
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

function caller(chain: Invocation['chain'], allowed: string[] = ['http://self', 'http://*.spin.internal', 'http://gone.spin.internal']) {
  const guest = new TestGuest({ allowedOutboundHosts: allowed, components: ['Back-End'] }, { chain });
  guests.push(guest);
  const http = guest.calls('wasi:http/types@0.2.0');
  const io = guest.calls('wasi:io/streams@0.2.0');
  const send = (authority: string | undefined, withBody = false) => {
    const request = http('[constructor]outgoing-request', ok(http('[static]fields.from-list', [['x-a', bytes('1')], ['host', bytes('evil')]])));
    ok(http('[method]outgoing-request.set-method', request, { tag: 'post' }));
    ok(http('[method]outgoing-request.set-scheme', request, { tag: 'HTTP' }));
    ok(http('[method]outgoing-request.set-authority', request, authority));
    ok(http('[method]outgoing-request.set-path-with-query', request, '/path?q'));
    const body = withBody ? ok(http('[method]outgoing-request.body', request)) : null;
    const stream = body && ok(http('[method]outgoing-body.write', body));
    return { future: guest.calls('wasi:http/outgoing-handler@0.2.0')('handle', request, undefined), body, stream };
  };
  const outcome = async (future: unknown) => {
    await guest.calls('wasi:io/poll@0.2.0')('[method]pollable.block', future);
    return http('[method]future-incoming-response.get', future).val;
  };
  return { guest, http, io, send, outcome };
}

describe('a request to another component of the app', () => {
  it('arrives there with what the caller sent, and its answer comes back', async () => {
    const got: { component: string | null; exchange: HttpExchange }[] = [];
    const { http, io, send, outcome } = caller((component, exchange) => {
      got.push({ component, exchange });
      const sink = exchange.respond(201, [['x-b', '2']]);
      void drain(exchange.body).then((body) => {
        sink.write(bytes(`got ${body}`));
        sink.end();
      });
    });
    const { future, body, stream } = send('back-end.spin.internal', true);
    io('[method]output-stream.write', stream, bytes('hello'));
    ok(http('[static]outgoing-body.finish', body, undefined));
    const { val: response } = await outcome(future);
    expect(http('[method]incoming-response.status', response)).toBe(201);
    const input = ok(http('[method]incoming-body.stream', ok(http('[method]incoming-response.consume', response))));
    expect(text(await io('[method]input-stream.blocking-read', input, 100n))).toBe('got hello');
    expect(await io('[method]input-stream.blocking-read', input, 100n)).toMatchObject({ payload: { tag: 'closed' } });
    const [{ component, exchange }] = got as [(typeof got)[0]];
    expect(component).toBe('Back-End');
    expect(exchange).toMatchObject({ method: 'POST', pathWithQuery: '/path?q', scheme: 'http', authority: 'back-end.spin.internal' });
    expect(header(exchange.headers, 'x-a')).toBe('1');
    expect(header(exchange.headers, 'host')).toBeUndefined();
    expect(header(exchange.headers, 'content-length')).toBe('5');
  });

  it.each([undefined, 'self.alt'])('goes to the app’s own router when its authority is %s', async (authority) => {
    const to: (string | null)[] = [];
    const { send, outcome } = caller((component, exchange) => {
      to.push(component);
      exchange.respond(200, []).end();
    });
    expect(await outcome(send(authority).future)).toMatchObject({ tag: 'ok' });
    expect(to).toEqual([null]);
  });

  it('is denied when the manifest does not allow it', async () => {
    const { send, outcome } = caller(() => { throw new Error('called'); }, ['http://example.com']);
    expect(await outcome(send('back-end.spin.internal').future)).toEqual({ tag: 'err', val: { tag: 'HTTP-request-denied' } });
    expect(await outcome(send(undefined).future)).toEqual({ tag: 'err', val: { tag: 'HTTP-request-denied' } });
  });

  it('says that there is no such component', async () => {
    const { send, outcome } = caller(() => { throw new Error('no route'); });
    expect(await outcome(send('gone.spin.internal').future)).toEqual({ tag: 'err', val: { tag: 'destination-not-found' } });
    expect(await outcome(send(undefined).future)).toEqual({ tag: 'err', val: { tag: 'destination-not-found' } });
  });

  it('feels how fast the callee reads', async () => {
    let exchange: HttpExchange | undefined;
    const { io, send } = caller((_component, handed) => { exchange = handed; });
    const { stream } = send('back-end.spin.internal', true);
    let written = 0;
    let pending: Promise<unknown> | null = null;
    while (!pending) {
      const result = io('[method]output-stream.blocking-write-and-flush', stream, new Uint8Array(65536));
      written += 65536;
      if (result instanceof Promise) pending = result;
    }
    expect(written).toBeLessThan(1024 * 1024);
    let read = 0;
    await new Promise(setImmediate);
    for (let chunk = exchange!.body.read(65536); chunk !== null && chunk !== EOF; chunk = exchange!.body.read(65536)) read += chunk.length;
    expect(read).toBe(written);
    expect(await pending).toBeUndefined();
  });

  it('ends for the callee when the caller’s invocation does', async () => {
    let exchange: HttpExchange | undefined;
    const { guest, send, outcome } = caller((_component, handed) => { exchange = handed; });
    const waiting = outcome(send('back-end.spin.internal', true).future);
    await new Promise(setImmediate);
    const sink = exchange!.respond(200, []);
    let closed = false;
    sink.onClose = () => { closed = true; };
    guest.next();
    await Promise.allSettled([waiting]);
    await new Promise(setImmediate);
    expect(closed).toBe(true);
    expect(sink.closed).toBe(true);
    expect(() => exchange!.body.read(1)).toThrow();
  });
});
