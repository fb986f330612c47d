import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { bytes, type TestGuest, text } from './guest-state.js';
import { echo, tcpPeer, udpEcho, v4, type TcpPeer } from './sockets-fixture.js';
import { socketGuest } from './sockets-02-guest.js';

const OLDER = '0.2.0-rc-2023-10-18';
const guests: TestGuest[] = [];
let peer: TcpPeer;
beforeAll(async () => { peer = await tcpPeer(echo); });
afterAll(() => peer.close());
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

const err = (val: string) => ({ tag: 'err', val });

async function guestWith(version: string) {
  const made = await socketGuest(peer, version, { allowedOutboundHosts: ['*://*:*'] });
  guests.push(made.guest);
  return made;
}

describe.each(['0.2.0-rc-2023-11-10', '0.2.0-rc-2023-10-18'])('sockets of the candidate %s', (version) => {
  it('connect, are IPv6 alone where they are IPv6, and look names up', async () => {
    const { of, network, call, create, connected, io } = await guestWith(version);
    const { input, output } = await connected();
    await io('[method]output-stream.blocking-write-and-flush', output, bytes('hello'));
    expect(text(await io('[method]input-stream.blocking-read', input, 1024n))).toBe('hello');
    const six = await create('ipv6');
    expect(await call('ipv6-only', six)).toEqual({ tag: 'ok', val: true });
    expect(await call('set-ipv6-only', six, false)).toEqual(err('not-supported'));
    expect(await call('ipv6-only', await create())).toEqual(err('not-supported'));
    const udp = await of('udp');
    const { val: datagrams } = await (await of('udp-create-socket')).call('create-udp-socket', 'ipv6');
    expect(await udp.call('[method]udp-socket.ipv6-only', datagrams)).toEqual({ tag: 'ok', val: true });
    expect(await udp.call('[method]udp-socket.set-ipv6-only', datagrams, true)).toEqual({ tag: 'ok' });
    const lookup = await of('ip-name-lookup');
    const { val: stream } = await lookup.call('resolve-addresses', network, '10.0.0.1', ...(version.endsWith('10-18') ? ['ipv6', false] : []));
    expect((await lookup.call('[method]resolve-address-stream.subscribe', stream)).ready()).toBe(true);
    expect(await lookup.call('[method]resolve-address-stream.resolve-next-address', stream)).toEqual(
      version.endsWith('10-18') ? { tag: 'ok' } : { tag: 'ok', val: { tag: 'ipv4', val: [10, 0, 0, 1] } });
  });
});

describe('sockets of the candidate 2023-10-18', () => {
  it('keep their options, and speak UDP through the socket itself', async () => {
    const server = await udpEcho();
    const { of, network, call: tcpCall, create, poll } = await guestWith(OLDER);
    const tcp = await create();
    for (const [name, value] of [['keep-alive', true], ['no-delay', false], ['unicast-hop-limit', 7], ['receive-buffer-size', 4096n], ['send-buffer-size', 4096n]] as const) {
      expect(await tcpCall(`set-${name}`, tcp, value)).toEqual({ tag: 'ok' });
      expect(await tcpCall(name, tcp)).toEqual({ tag: 'ok', val: value });
    }
    const udp = await of('udp');
    const call = (name: string, ...args: unknown[]) => udp.call(`[method]udp-socket.${name}`, ...args);
    const { val: socket } = await (await of('udp-create-socket')).call('create-udp-socket', 'ipv4');
    expect(await call('receive', socket, 1n)).toEqual(err('invalid-state'));
    for (const address of ['local-address', 'remote-address']) expect(await call(address, socket)).toEqual(err('invalid-state'));
    expect(await call('address-family', socket)).toBe('ipv4');
    for (const [name, value] of [['unicast-hop-limit', 3], ['receive-buffer-size', 8192n], ['send-buffer-size', 8192n]] as const) {
      expect(await call(`set-${name}`, socket, value)).toEqual({ tag: 'ok' });
      expect(await call(name, socket)).toEqual({ tag: 'ok', val: value });
    }
    await call('start-bind', socket, network, v4(0, [0, 0, 0, 0]));
    await call('finish-bind', socket);
    expect(await call('finish-connect', socket)).toEqual(err('not-in-progress'));
    expect(await call('start-connect', socket, network, v4(server.port))).toEqual({ tag: 'ok' });
    expect(await call('finish-connect', socket)).toEqual({ tag: 'ok' });
    expect(await call('receive', socket, 1n)).toEqual(err('would-block'));
    expect(await call('send', socket, [{ data: bytes('hi'), remoteAddress: v4(server.port) }])).toEqual({ tag: 'ok', val: 1n });
    const ready = await call('subscribe', socket);
    while (!ready.ready()) await poll('[method]pollable.block', ready);
    expect(await call('receive', socket, 4n)).toEqual({ tag: 'ok', val: [{ data: new Uint8Array(bytes('hi')), remoteAddress: v4(server.port) }] });
    expect(await call('remote-address', socket)).toEqual({ tag: 'ok', val: v4(server.port) });
    expect((await call('local-address', socket)).val.val.port).toBeGreaterThan(0);
    server.close();
  });

  it('neither bind nor listen over TCP, and end as they are told', async () => {
    const { call, create, connected, network, readAll } = await guestWith(OLDER);
    const socket = await create();
    expect(await call('start-bind', socket, network, v4(0, [0, 0, 0, 0]))).toEqual(err('access-denied'));
    expect(await call('finish-bind', socket)).toEqual(err('not-in-progress'));
    expect(await call('start-listen', socket)).toEqual(err('access-denied'));
    expect(await call('finish-listen', socket)).toEqual(err('not-in-progress'));
    expect(await call('accept', socket)).toEqual(err('invalid-state'));
    expect(await call('set-listen-backlog-size', socket, 8n)).toEqual({ tag: 'ok' });
    expect(await call('address-family', socket)).toBe('ipv4');
    for (const address of ['local-address', 'remote-address']) expect(await call(address, socket)).toEqual(err('invalid-state'));
    const open = await connected();
    expect(await call('remote-address', open.socket)).toEqual({ tag: 'ok', val: v4(peer.port) });
    expect((await call('local-address', open.socket)).tag).toBe('ok');
    expect(await call('shutdown', open.socket, 'both')).toEqual({ tag: 'ok' });
    expect(await readAll(open.input)).toEqual({ all: '', error: { tag: 'closed' } });
  });
});
