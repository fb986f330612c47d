import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { lease, tryLease } from '#runtime/capability/outbound/connection-budget.js';
import { dial } from '#runtime/capability/outbound/dial.js';
import { listen } from './http-server.js';
import { OutboundGuest } from './outbound-guest.js';
import { echo, tcpPeer, until, type TcpPeer } from './sockets-fixture.js';

const guests: OutboundGuest[] = [];
const held: (() => void)[] = [];
let one: Awaited<ReturnType<typeof listen>>;
let other: Awaited<ReturnType<typeof listen>>;
let peer: TcpPeer;
let connections = 0;
let apps = 0;

beforeAll(async () => {
  const start = () => listen((request, response) => {
    if (request.url === '/hold') held.push(() => response.end('held'));
    else response.end('ok');
  });
  [one, other, peer] = [await start(), await start(), await tcpPeer(echo)];
  for (const { server } of [one, other]) server.on('connection', () => { connections += 1; });
});
afterAll(() => Promise.all([one.close(), other.close(), peer.close()]));
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

/** Of an app of its own, unless `grant` says which. */
function guestWith(runtime: object, grant: Partial<GuestGrant> = {}) {
  const guest = new OutboundGuest({ app: `app-${apps++}`, allowedOutboundHosts: ['*://*:*'], runtime: RuntimeGrant.parse(runtime), ...grant });
  guests.push(guest);
  return guest;
}
const at = (server: { port: number }, path = '/') => `http://127.0.0.1:${server.port}${path}`;
const OK = { status: 200, body: 'ok' };

describe('connections of an app', () => {
  it('are used again, and are not when the operator wants none kept', async () => {
    const pooled = guestWith({});
    const before = connections;
    for (let i = 0; i < 5; i += 1) expect(await pooled.send(at(one))).toEqual(OK);
    const pooledOnes = connections - before;
    expect(pooledOnes).toBeLessThanOrEqual(2);
    const single = guestWith({ outboundHttp: { connectionPooling: false } });
    for (let i = 0; i < 5; i += 1) expect(await single.send(at(one))).toEqual(OK);
    expect(connections - before).toBe(pooledOnes + 5);
  });

  it('are not shared between orgs, apps or components', async () => {
    const before = connections;
    for (const grant of [{ org: 'a', app: 'x' }, { org: 'b', app: 'x' }, { org: 'a', app: 'y' }, { org: 'a', app: 'x', component: 'second' }]) {
      expect(await guestWith({}, grant).send(at(one))).toEqual(OK);
    }
    expect(connections - before).toBeGreaterThanOrEqual(4);
  });

  it('wait for each other within the operator’s limit', async () => {
    const guest = guestWith({ outboundHttp: { maxConnections: 2 } });
    const before = connections;
    const all = Array.from({ length: 6 }, () => guest.send(at(one, '/hold')));
    for (let done = 0; done < 6; done += 2) {
      await until(() => held.length === 2);
      held.splice(0).forEach((finish) => finish());
    }
    expect(new Set((await Promise.all(all)).map((each) => JSON.stringify(each)))).toEqual(new Set(['{"status":200,"body":"held"}']));
    expect(connections - before).toBe(2);
  });

  it('make room for another origin, and another component, when they are idle', async () => {
    const runtime = { outboundHttp: { maxConnections: 1 } };
    const guest = guestWith(runtime, { org: 'room', app: 'x' });
    const neighbour = guestWith(runtime, { org: 'room', app: 'x', component: 'second' });
    for (let i = 0; i < 3; i += 1) {
      for (const server of [one, other]) expect(await guest.send(at(server))).toEqual(OK);
      expect(await neighbour.send(at(one))).toEqual(OK);
    }
    const busy = guest.send(at(one, '/hold'));
    const waiting = guest.send(at(other));
    await until(() => held.length === 1);
    held.splice(0).forEach((finish) => finish());
    expect([await busy, await waiting]).toEqual([{ status: 200, body: 'held' }, OK]);
  });

  it('are refused at once beyond what the platform lets a component have, and all where the operator wants none', async () => {
    const guest = guestWith({}, { limits: { outboundRequests: 9, outboundConcurrency: 9, outboundConnections: 1 } });
    const busy = guest.send(at(one, '/hold'));
    await until(() => held.length === 1);
    expect(await guest.send(at(other))).toBe('connection-limit-reached');
    held.splice(0).forEach((finish) => finish());
    await busy;
    expect(await guest.send(at(other))).toEqual(OK);
    expect(await guestWith({ outboundHttp: { maxConnections: 0 } }).send(at(one))).toBe('connection-limit-reached');
    expect(await guestWith({ outboundNetworking: { maxTotalConnections: 0 } }).send(at(one))).toBe('connection-limit-reached');
  });

  it('count by kind, and all together', async () => {
    const { guest: { grant } } = guestWith({
      outboundRedis: { maxConnections: 1 }, outboundPg: { maxConnections: 1 }, outboundMysql: { maxConnections: 1 }, outboundMqtt: { maxConnections: 1 },
      outboundNetworking: { maxSocketConnections: 1, maxTotalConnections: 6 },
    });
    const kinds = ['redis', 'pg', 'mysql', 'mqtt', 'socket'] as const;
    const taken = kinds.map((kind) => tryLease(grant, kind));
    expect(taken).not.toContain(null);
    expect(kinds.map((kind) => tryLease(grant, kind))).toEqual(kinds.map(() => null));
    const last = tryLease(grant, 'http');
    expect(tryLease(grant, 'http')).toBeNull();
    const waiting = lease(grant, 'redis');
    taken[0]!.release();
    taken[0]!.release();
    (await waiting).release();
    for (const each of [...taken, last]) each!.release();
  });

  it('are given back by dial when they are closed, and when they are not made', async () => {
    const { guest: { grant } } = guestWith({ outboundRedis: { maxConnections: 1 } });
    const target = { host: '127.0.0.1', port: peer.port, kind: 'redis' } as const;
    await expect(dial(grant, { ...target, host: '169.254.169.254' })).rejects.toMatchObject({ httpCode: { tag: 'destination-IP-prohibited' } });
    await expect(dial(grant, { ...target, host: 'no.such.name.invalid' })).rejects.toThrow();
    for (let i = 0; i < 3; i += 1) (await dial(grant, target)).destroy();
  });
});

describe('where an app may go', () => {
  it('is never a network that the operator blocks, by whatever name', async () => {
    const guest = guestWith({ outboundNetworking: { blockNetworks: ['127.0.0.0/8', '::1'] } });
    for (const host of ['127.0.0.1', 'localhost', '127.1', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]', '[::1]']) {
      expect(await guest.send(`http://${host}:${one.port}/`)).toBe('destination-IP-prohibited');
    }
    expect(guest.guest.notes).toHaveLength(7);
    expect(await guestWith({ outboundNetworking: { blockNetworks: ['private'] } }).send(at(one))).toBe('destination-IP-prohibited');
    expect(await guestWith({ outboundNetworking: { blockNetworks: ['10.0.0.0/8'] } }).send(at(one))).toEqual(OK);
  });

  it('is what its manifest allows, in whatever spelling', async () => {
    const guest = guestWith({}, { allowedOutboundHosts: [`http://127.0.0.1:${one.port}`] });
    for (const host of ['127.0.0.1', '127.1', '0x7f.1', '2130706433', '0177.0.0.1']) expect(await guest.send(`http://${host}:${one.port}/`)).toEqual(OK);
    for (const host of ['[::ffff:127.0.0.1]', 'localhost', '127.0.0.2']) expect(await guest.send(`http://${host}:${one.port}/`)).toBe('HTTP-request-denied');
  });

  it('is not widened by a redirect: the guest gets it, and its next request is asked like any other', async () => {
    const redirecting = await listen((_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end());
    const guest = guestWith({});
    expect(await guest.send(at(redirecting))).toEqual({ status: 302, body: '' });
    expect(await guest.send('http://169.254.169.254/latest/meta-data')).toBe('destination-IP-prohibited');
    await redirecting.close();
  });

  it('is checked for dial once: a name that changes its answer is not asked again', async () => {
    const { guest: { grant } } = guestWith({});
    const answers = [[{ address: '127.0.0.1', family: 4 }], [{ address: '169.254.169.254', family: 4 }]];
    let asked = 0;
    const socket = await dial(grant, { host: 'rebind.example', port: peer.port }, async () => answers[asked++]!);
    expect([socket.remoteAddress, asked]).toEqual(['127.0.0.1', 1]);
    socket.destroy();
    await expect(dial(grant, { host: 'rebind.example', port: peer.port }, async () => answers[asked++]!)).rejects.toMatchObject({ httpCode: { tag: 'destination-IP-prohibited' } });
  });
});
