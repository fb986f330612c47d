import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import type { GuestGrant, HttpExchange, Invocation } from '#runtime/capability/guest.js';
import { HostMemory } from '#runtime/capability/host-memory.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { bytes, drain, TestGuest, text } from './guest-state.js';
import { listen, readAll } from './http-server.js';

const guests: TestGuest[] = [];
const stalled: (() => void)[] = [];
let server: Awaited<ReturnType<typeof listen>>;
beforeAll(async () => {
  server = await listen((request, response) => {
    if (request.url === '/redirect') response.writeHead(302, { location: '/echo' }).end();
    else if (request.url === '/cut') response.writeHead(200, { 'content-length': '100' }).write('partial', () => request.socket.destroy());
    else if (request.url === '/stalls') stalled.push(() => response.end('late'));
    else if (request.url === '/endless') {
      const more = () => { while (!response.destroyed && response.write(Buffer.alloc(1_048_576))) { /* until it is full */ } };
      response.on('drain', more);
      more();
    } else void readAll(request).then((body) => response.writeHead(201, [['x-a', '1'], ['x-a', '2'], ['x-latin', 'caf\xe9']] as never)
      .end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body })));
  });
});
afterAll(() => server.close());
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

const at = (path: string) => `http://127.0.0.1:${server.port}${path}`;
const err = (val: string) => ({ tag: 'err', val });

async function guestWith(allowed: string[] = [at('')], grant: Partial<GuestGrant> = {}, invocation: Partial<Invocation> = {}) {
  const guest = new TestGuest({ allowedOutboundHosts: allowed, ...grant }, invocation);
  guests.push(guest);
  const http = await Forwarder.of('fermyon:spin/http', guest);
  const send = (uri: string, { method = 'get', headers = [] as [string, string][], body = undefined as Uint8Array | undefined } = {}) =>
    http.call('send-request', { method, uri, headers, params: [], body });
  return { guest, send };
}

describe('fermyon:spin/http', () => {
  it.each(['get', 'post', 'put', 'delete', 'patch', 'options'])('sends %s with fields and a body, and gives back the whole answer', async (method) => {
    const { send } = await guestWith();
    const { tag, val } = await send(at('/echo?q=1'), { method, headers: [['X-Mine', 'yes'], ['Host', 'evil.example'], ['Connection', 'close']], body: bytes('hello') });
    expect(tag).toBe('ok');
    expect(val.status).toBe(201);
    expect(val.headers.filter(([name]: [string]) => name.startsWith('x-'))).toEqual([['x-a', '1'], ['x-a', '2']]);
    expect(JSON.parse(text(val.body))).toMatchObject({
      method: method.toUpperCase(), url: '/echo?q=1', body: 'hello', headers: { 'x-mine': 'yes', host: `127.0.0.1:${server.port}`, 'content-length': '5' },
    });
  });

  it('sends HEAD, whose answer has no body', async () => {
    const { send } = await guestWith();
    const { val } = await send(at('/echo'), { method: 'head' });
    expect([val.status, val.body.length]).toEqual([201, 0]);
  });

  it('does not follow redirects', async () => {
    const { send } = await guestWith();
    const { val } = await send(at('/redirect'));
    expect([val.status, val.headers.find(([name]: [string]) => name === 'location')]).toEqual([302, ['location', '/echo']]);
  });

  it('signs in as the URL says, without the name in what the server sees of it', async () => {
    const { send } = await guestWith();
    const { val } = await send(`http://me:p%40ss@127.0.0.1:${server.port}/echo`);
    expect(JSON.parse(text(val.body)).headers.authorization).toBe(`Basic ${btoa('me:p@ss')}`);
  });

  it('refuses what the manifest does not allow, and says how to allow it', async () => {
    const { guest, send } = await guestWith([]);
    expect(await send('http://localhost:1234/path')).toEqual(err('destination-not-allowed'));
    expect(guest.notes).toEqual([
      "A component tried to make an outbound network connection to disallowed destination 'http://localhost:1234'.",
      `To allow this request, add 'allowed_outbound_hosts = ["http://localhost:1234"]' to the manifest component section.`,
    ]);
    expect(await send('/relative')).toEqual(err('destination-not-allowed'));
    expect(guest.notes[2]).toContain("'http://self'");
    expect(await send('example.com/x')).toEqual(err('destination-not-allowed'));
    expect(guest.notes[4]).toContain("'https://example.com'");
    for (const none of ['', 'http://', 'http://a b/']) expect(await send(none)).toEqual(err('destination-not-allowed'));
  });

  it('knows URLs that no request can be made of', async () => {
    const { send } = await guestWith(['*://*:*']);
    for (const uri of ['ftp://example.com/x', 'example.com/x', 'redis://127.0.0.1:6379']) expect(await send(uri)).toEqual(err('invalid-url'));
  });

  it('says runtime-error for what fails on the way', async () => {
    const gone = await listen(() => undefined);
    await gone.close();
    const { send } = await guestWith(['*://*:*']);
    expect(await send(`http://127.0.0.1:${gone.port}/`)).toEqual(err('runtime-error'));
    expect(await send(at('/cut'))).toEqual(err('runtime-error'));
    expect(await send(at('/echo'), { headers: [['bad name', 'x']] })).toEqual(err('runtime-error'));
    const closed = await guestWith(['*://*:*'], { allowPrivateHosts: false });
    expect(await closed.send(at('/echo'))).toEqual(err('runtime-error'));
    expect(closed.guest.notes).toHaveLength(1);
  });

  it('says too-many-requests when a limit struck', async () => {
    const { send } = await guestWith(undefined, { limits: { outboundRequests: 1, outboundConcurrency: 8, outboundConnections: 8 } });
    expect((await send(at('/echo'))).tag).toBe('ok');
    expect(await send(at('/echo'))).toEqual(err('too-many-requests'));
    const none = await guestWith(undefined, { runtime: RuntimeGrant.parse({ outboundHttp: { maxConnections: 0 } }) });
    expect(await none.send(at('/echo'))).toEqual(err('too-many-requests'));
  });

  it('sends a path to the app itself', async () => {
    const seen: string[] = [];
    const chain = (component: string | null, exchange: HttpExchange) => {
      void drain(exchange.body).then((body) => {
        seen.push(`${component} ${exchange.method} ${exchange.pathWithQuery} ${body}`);
        const sink = exchange.respond(200, [['x-self', 'yes']]);
        sink.write(bytes('from itself'));
        sink.end();
      });
    };
    const { send } = await guestWith(['http://self'], {}, { chain });
    const { val } = await send('/mine?x', { method: 'post', body: bytes('data') });
    expect([val.status, text(val.body), val.headers]).toEqual([200, 'from itself', [['x-self', 'yes']]]);
    expect(seen).toEqual(['null POST /mine?x data']);
  });

  it('gives back 128 MiB at most', async () => {
    const { guest, send } = await guestWith();
    guest.memory = new HostMemory(2 ** 30);
    expect(await send(at('/endless'))).toEqual(err('runtime-error'));
    expect(guest.memory.heldBytes).toBeLessThan(1_000_000);
  });

  it('holds no more for a guest than an invocation may have', async () => {
    const { guest, send } = await guestWith();
    await expect(send(at('/endless'))).rejects.toMatchObject({ limit: 'host-memory' });
    expect(guest.memory.heldBytes).toBeLessThan(1_000_000);
  });

  it('ends with the invocation', async () => {
    const { guest, send } = await guestWith();
    const waiting = send(at('/stalls'));
    while (stalled.length === 0) await new Promise((resolve) => { setTimeout(resolve, 5); });
    guest.hangUp();
    await expect(waiting).rejects.toThrow('cancelled');
    stalled.forEach((finish) => finish());
  });
});
