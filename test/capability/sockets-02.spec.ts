import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { NO_RUNTIME_GRANT, RuntimeGrant } from '#contract/runtime-grant.js';
import { bytes, ok, type TestGuest, text } from './guest-state.js';
import { echo, LOOPBACK, tcpPeer, udpEcho, until, v4, v6, type TcpPeer } from './sockets-fixture.js';
import { socketGuest } from './sockets-02-guest.js';

const guests: TestGuest[] = [];
let peer: TcpPeer;
beforeAll(async () => { peer = await tcpPeer(echo); });
afterAll(() => peer.close());
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

const err = (val: string) => ({ tag: 'err', val });
/** Of the guests that a test makes. */
let version = '';

async function guestWith(allowed?: string[], grant: Partial<GuestGrant> = {}) {
  const made = await socketGuest(peer, version, { ...grant, ...(allowed && { allowedOutboundHosts: allowed }) });
  guests.push(made.guest);
  return made;
}

describe.each(['0.2.12', '0.2.0-rc-2023-11-10'])('sockets of a %s guest', (each) => {
  beforeAll(() => { version = each; });

  describe('a TCP socket', () => {
    it('connects, writes, reads, ends and reads to the end', async () => {
      const { call, connected, io, readAll } = await guestWith();
      const { socket, input, output } = await connected();
      expect(await call('remote-address', socket)).toEqual({ tag: 'ok', val: v4(peer.port) });
      expect((await call('local-address', socket)).val).toMatchObject({ tag: 'ipv4', val: { address: [...LOOPBACK] } });
      await io('[method]output-stream.blocking-write-and-flush', output, bytes('So rested he by the Tumtum tree'));
      expect(text(await io('[method]input-stream.blocking-read', input, 1024n))).toBe('So rested he by the Tumtum tree');
      expect(await call('shutdown', socket, 'send')).toEqual({ tag: 'ok' });
      expect(io('[method]output-stream.check-write', output)).toMatchObject({ payload: { tag: 'closed' } });
      expect(await readAll(input)).toEqual({ all: '', error: { tag: 'closed' } });
    });

    it('would block until it is connected, and gives its streams once', async () => {
      const { call, create, finish, network } = await guestWith();
      const socket = await create();
      expect(await call('finish-connect', socket)).toEqual(err('not-in-progress'));
      await call('start-connect', socket, network, v4(peer.port));
      expect(await call('finish-connect', socket)).toEqual(err('would-block'));
      expect(await call('start-connect', socket, network, v4(peer.port))).toEqual(err('concurrency-conflict'));
      expect((await finish(socket)).tag).toBe('ok');
      expect(await call('finish-connect', socket)).toEqual(err('not-in-progress'));
      expect(await call('start-connect', socket, network, v4(peer.port))).toEqual(err('invalid-state'));
    });

    it.each([
      ['another address', '*://127.0.0.2:6001'],
      ['another port', '*://127.0.0.1:6002'],
      ['another scheme', 'http://127.0.0.1:*'],
      ['UDP alone', 'udp://127.0.0.1:*'],
    ])('is refused where the manifest allows %s, and the log says how to allow it', async (_what, allowed) => {
      const { guest, call, create, network } = await guestWith([allowed]);
      expect(await call('start-connect', await create(), network, v4(7))).toEqual(err('access-denied'));
      expect(guest.notes).toEqual([
        "A component tried to make an outbound network connection to disallowed destination 'tcp://127.0.0.1:7'.",
        'To allow this request, add \'allowed_outbound_hosts = ["tcp://127.0.0.1:7"]\' to the manifest component section.',
      ]);
    });

    it.each(['*://127.0.0.0/24:', 'tcp://127.0.0.1:', 'tcp://*:'])('is let through by %s and its port', async (allowed) => {
      const { connected } = await guestWith([`${allowed}${peer.port}`]);
      await connected();
    });

    it('does not reach what the platform or the operator closes', async () => {
      const closed = await guestWith(['*://*:*'], { allowPrivateHosts: false });
      expect(await closed.call('start-connect', await closed.create(), closed.network, v4(peer.port))).toEqual(err('access-denied'));
      expect(closed.guest.notes).toHaveLength(1);
      const blocked = await guestWith(['*://*:*'], { runtime: RuntimeGrant.parse({ outboundNetworking: { blockNetworks: ['127.0.0.0/8'] } }) });
      expect(await blocked.call('start-connect', await blocked.create(), blocked.network, v4(peer.port))).toEqual(err('access-denied'));
      const open = await guestWith(['*://*:*']);
      expect(await open.call('start-connect', await open.create(), open.network, v4(80, [169, 254, 169, 254]))).toEqual(err('access-denied'));
      const mapped = v6(peer.port, [0, 0, 0, 0, 0, 0xffff, 0x7f00, 1]);
      expect(await open.call('start-connect', await open.create('ipv6'), open.network, mapped)).toEqual(err('invalid-argument'));
    });

    it('knows what is no destination', async () => {
      const { call, create, network } = await guestWith(['*://*:*']);
      expect(await call('start-connect', await create(), network, v4(0))).toEqual(err('invalid-argument'));
      expect(await call('start-connect', await create('ipv6'), network, v4(peer.port))).toEqual(err('invalid-argument'));
      expect(await call('start-connect', await create(), network, v4(7, [224, 0, 0, 1]))).toEqual(err('access-denied'));
    });

    it('neither binds nor listens', async () => {
      const { call, create, network } = await guestWith(['*://*:*']);
      const socket = await create();
      expect(await call('start-bind', socket, network, v4(0, [0, 0, 0, 0]))).toEqual(err('access-denied'));
      expect(await call('start-bind', socket, network, v6(0))).toEqual(err('invalid-argument'));
      expect(await call('finish-bind', socket)).toEqual(err('not-in-progress'));
      expect(await call('start-listen', socket)).toEqual(err('access-denied'));
      expect(await call('finish-listen', socket)).toEqual(err('not-in-progress'));
      expect(await call('accept', socket)).toEqual(err('invalid-state'));
      expect(await call('is-listening', socket)).toBe(false);
      expect(await call('address-family', socket)).toBe('ipv4');
      for (const address of ['local-address', 'remote-address']) expect(await call(address, socket)).toEqual(err('invalid-state'));
      expect(await call('shutdown', socket, 'both')).toEqual(err('invalid-state'));
    });

    it('keeps its options, in effect or as a value', async () => {
      const { call, create, connected } = await guestWith();
      for (const socket of [await create(), (await connected()).socket]) {
        const set: [string, unknown, unknown][] = [
          ['keep-alive-enabled', true, true], ['keep-alive-idle-time', 1_500_000_000n, 2_000_000_000n], ['keep-alive-interval', 3_000_000_000n, 3_000_000_000n],
          ['keep-alive-count', 5, 5], ['hop-limit', 9, 9], ['receive-buffer-size', 4096n, 4096n], ['send-buffer-size', 1n << 60n, 16_777_216n],
        ];
        for (const [name, value, kept] of set) {
          expect(await call(`set-${name}`, socket, value)).toEqual({ tag: 'ok' });
          expect(await call(name, socket)).toEqual({ tag: 'ok', val: kept });
          if (value !== true) expect(await call(`set-${name}`, socket, typeof value === 'bigint' ? 0n : 0)).toEqual(err('invalid-argument'));
        }
        expect(await call('set-listen-backlog-size', socket, 0n)).toEqual(err('invalid-argument'));
        expect(await call('set-listen-backlog-size', socket, 8n)).toEqual({ tag: 'ok' });
      }
    });

    it('says that nobody listens, and stays closed', async () => {
      const gone = await tcpPeer(echo);
      await gone.close();
      const { call, create, finish, network } = await guestWith(['*://*:*']);
      const socket = await create();
      await call('start-connect', socket, network, v4(gone.port));
      expect(await finish(socket)).toEqual(err('connection-refused'));
      expect(await call('start-connect', socket, network, v4(peer.port))).toEqual(err('invalid-state'));
    });

    it('reads what came before the other side broke off, then says that it broke', async () => {
      const rude = await tcpPeer((socket) => socket.write('partial', () => setTimeout(() => socket.resetAndDestroy(), 20)));
      const { connected, readAll } = await guestWith(['*://*:*']);
      const { input } = await connected(rude.port);
      expect(await readAll(input)).toMatchObject({ all: 'partial', error: { tag: 'last-operation-failed' } });
      await rude.close();
    });

    it('holds a writer back that the other side does not read, and is charged for what waits', async () => {
      const silent = await tcpPeer((socket) => socket.pause());
      const { guest, connected, io } = await guestWith(['*://*:*']);
      const { output } = await connected(silent.port);
      let written = 0;
      for (let permit = io('[method]output-stream.check-write', output) as bigint; permit > 0n; permit = io('[method]output-stream.check-write', output)) {
        ok(io('[method]output-stream.write', output, new Uint8Array(Number(permit))));
        written += Number(permit);
        if (written > 100_000_000) break;
        await new Promise(setImmediate);
      }
      expect(written).toBeLessThan(32_000_000);
      expect(guest.memory.heldBytes).toBeGreaterThan(0);
      [...silent.sockets][0]!.resume();
      expect(await io('[method]output-stream.blocking-flush', output)).toBeUndefined();
      expect(guest.memory.heldBytes).toBe(0);
      await silent.close();
    });

    it('reads no faster than the guest does', async () => {
      const eager = await tcpPeer((socket) => {
        const more = () => { while (!socket.destroyed && socket.write(Buffer.alloc(65_536))) { /* until it is full */ } };
        socket.on('drain', more);
        more();
      });
      const { guest, connected } = await guestWith(['*://*:*']);
      await connected(eager.port);
      await new Promise((resolve) => { setTimeout(resolve, 100); });
      expect(guest.memory.heldBytes).toBeLessThan(1_000_000);
      await eager.close();
    });

    it('stops reading when it is told to', async () => {
      const { call, connected, io, readAll } = await guestWith();
      const { socket, input, output } = await connected();
      expect(await call('shutdown', socket, 'receive')).toEqual({ tag: 'ok' });
      await io('[method]output-stream.blocking-write-and-flush', output, bytes('x'));
      expect(await readAll(input)).toEqual({ all: '', error: { tag: 'closed' } });
    });

    it('is closed with the invocation, and lets what was written leave', async () => {
      let received = '';
      const sink = await tcpPeer((socket) => socket.on('data', (chunk) => { received += chunk.toString(); }));
      const { guest, connected, io } = await guestWith(['*://*:*']);
      const { output } = await connected(sink.port);
      io('[method]output-stream.write', output, bytes('last words'));
      guest.next();
      await until(() => received === 'last words' && [...sink.sockets].every((socket) => socket.readableEnded));
      await sink.close();
    });

    it('is closed when it is dropped, and another one may be opened then', async () => {
      const { guest, call, connected, create, finish, network } = await guestWith(undefined, { app: 'one-socket', runtime: RuntimeGrant.parse({ outboundNetworking: { maxSocketConnections: 1 } }) });
      const { socket } = await connected();
      expect(await call('start-connect', await create(), network, v4(peer.port))).toEqual(err('new-socket-limit'));
      guest.host(`wasi:sockets/tcp@${version}`, '[resource-drop]tcp-socket')(socket);
      const next = await create();
      for (let i = 0; i < 200 && (await call('start-connect', next, network, v4(peer.port))).tag === 'err'; i += 1) await new Promise((resolve) => { setTimeout(resolve, 5); });
      expect((await finish(next)).tag).toBe('ok');
    });

    it('counts towards what an invocation, and a component, may have', async () => {
      const few = await guestWith(undefined, { limits: { outboundRequests: 1, outboundConcurrency: 8, outboundConnections: 8 } });
      await few.connected();
      expect(await few.call('start-connect', await few.create(), few.network, v4(peer.port))).toEqual(err('new-socket-limit'));
      const narrow = await guestWith(undefined, { limits: { outboundRequests: 8, outboundConcurrency: 8, outboundConnections: 1 } });
      await narrow.connected();
      expect(await narrow.call('start-connect', await narrow.create(), narrow.network, v4(peer.port))).toEqual(err('new-socket-limit'));
      const total = await guestWith(undefined, { app: 'total', runtime: { ...NO_RUNTIME_GRANT, outboundNetworking: { blockNetworks: [], maxTotalConnections: 1 } } });
      await total.connected();
      expect(await total.call('start-connect', await total.create(), total.network, v4(peer.port))).toEqual(err('new-socket-limit'));
    });
  });

  describe('a UDP socket', () => {
    async function udpGuest(allowed: string[], grant: Partial<GuestGrant> = {}) {
      const base = await guestWith(allowed, grant);
      const udp = await base.of('udp');
      const creator = await base.of('udp-create-socket');
      const create = async (family = 'ipv4') => creator.call('create-udp-socket', family);
      const call = (name: string, ...args: unknown[]) => udp.call(`[method]udp-socket.${name}`, ...args);
      const bound = async () => {
        const { val: socket } = await create();
        expect(await call('start-bind', socket, base.network, v4(0, [0, 0, 0, 0]))).toEqual({ tag: 'ok' });
        expect(await call('finish-bind', socket)).toEqual({ tag: 'ok' });
        return socket;
      };
      return { ...base, udp, create, call, bound };
    }

    it('sends and hears, with a peer and without', async () => {
      const server = await udpEcho();
      const { call, bound, udp, poll } = await udpGuest([`udp://127.0.0.1:${server.port}`]);
      const socket = await bound();
      for (const remote of [undefined, v4(server.port)]) {
        const { val: [incoming, outgoing] } = await call('stream', socket, remote);
        expect((await call('remote-address', socket)).tag).toBe(remote ? 'ok' : 'err');
        await poll('[method]pollable.block', await udp.call('[method]outgoing-datagram-stream.subscribe', outgoing));
        expect((await udp.call('[method]outgoing-datagram-stream.check-send', outgoing)).val).toBeGreaterThan(1n);
        const datagrams = ['one', 'two'].map((data) => ({ data: bytes(data), remoteAddress: remote ? undefined : v4(server.port) }));
        expect(await udp.call('[method]outgoing-datagram-stream.send', outgoing, datagrams)).toEqual({ tag: 'ok', val: 2n });
        const heard: string[] = [];
        while (heard.length < 2) {
          await poll('[method]pollable.block', await udp.call('[method]incoming-datagram-stream.subscribe', incoming));
          const { val } = await udp.call('[method]incoming-datagram-stream.receive', incoming, 1n);
          expect(val).toHaveLength(1);
          expect(val[0].remoteAddress).toEqual(v4(server.port));
          heard.push(text(val[0].data));
        }
        expect(heard).toEqual(['one', 'two']);
      }
      expect((await call('local-address', socket)).val.val.port).toBeGreaterThan(0);
      server.close();
    });

    it('sends only where the policy allows, and hears only from there', async () => {
      const server = await udpEcho();
      const stranger = await udpEcho();
      const { guest, call, bound, udp } = await udpGuest([`udp://127.0.0.1:${server.port}`]);
      const socket = await bound();
      const { val: [incoming, outgoing] } = await call('stream', socket, undefined);
      await udp.call('[method]outgoing-datagram-stream.check-send', outgoing);
      const to = (port: number) => [{ data: bytes('x'), remoteAddress: v4(port) }];
      expect(await udp.call('[method]outgoing-datagram-stream.send', outgoing, to(stranger.port))).toEqual(err('access-denied'));
      expect(guest.notes[0]).toContain(`'udp://127.0.0.1:${stranger.port}'`);
      expect(await call('stream', socket, v4(stranger.port))).toEqual(err('access-denied'));
      const { port } = (await call('local-address', socket)).val.val;
      stranger.server.send('unasked', port, '127.0.0.1');
      server.server.send('asked', port, '127.0.0.1');
      await until(() => (incoming as { ready(): boolean }).ready());
      const { val } = await udp.call('[method]incoming-datagram-stream.receive', incoming, 8n);
      expect(val.map(({ data }: { data: Uint8Array }) => text(data))).toEqual(['asked']);
      server.close();
      stranger.close();
    });

    it('has an address of the system’s choice alone', async () => {
      const { call, create, bound, network } = await udpGuest(['*://*:*']);
      const { val: socket } = await create();
      expect(await call('stream', socket, undefined)).toEqual(err('invalid-state'));
      expect(await call('start-bind', socket, network, v4(0))).toEqual(err('access-denied'));
      expect(await call('start-bind', socket, network, v4(5353, [0, 0, 0, 0]))).toEqual(err('access-denied'));
      expect(await call('start-bind', socket, network, v6(0))).toEqual(err('invalid-argument'));
      expect(await call('finish-bind', socket)).toEqual(err('not-in-progress'));
      expect(await call('local-address', socket)).toEqual(err('invalid-state'));
      expect(await call('address-family', socket)).toBe('ipv4');
      expect(await call('start-bind', await bound(), network, v4(0, [0, 0, 0, 0]))).toEqual(err('invalid-state'));
    });

    it('refuses what is too large, what names no one, and somebody else than its peer', async () => {
      const server = await udpEcho();
      const { call, bound, udp } = await udpGuest(['*://*:*']);
      const socket = await bound();
      const send = async (outgoing: unknown, data: Uint8Array, remoteAddress?: unknown) => {
        await udp.call('[method]outgoing-datagram-stream.check-send', outgoing);
        return udp.call('[method]outgoing-datagram-stream.send', outgoing, [{ data, remoteAddress }]);
      };
      const free = (await call('stream', socket, undefined)).val[1];
      expect(await send(free, new Uint8Array(65_508), v4(server.port))).toEqual(err('datagram-too-large'));
      expect(await send(free, bytes('x'))).toEqual(err('invalid-argument'));
      const tied = (await call('stream', socket, v4(server.port))).val[1];
      expect(await send(tied, bytes('x'), v4(server.port + 1))).toEqual(err('invalid-argument'));
      expect(await send(tied, bytes('x'), v4(server.port))).toEqual({ tag: 'ok', val: 1n });
      server.close();
    });

    it('keeps its options', async () => {
      const { call, create, bound } = await udpGuest([]);
      for (const socket of [(await create()).val, await bound()]) {
        for (const [name, value] of [['unicast-hop-limit', 3], ['receive-buffer-size', 8192n], ['send-buffer-size', 8192n]] as const) {
          expect(await call(`set-${name}`, socket, value)).toEqual({ tag: 'ok' });
          expect(await call(name, socket)).toEqual({ tag: 'ok', val: value });
          expect(await call(`set-${name}`, socket, typeof value === 'bigint' ? 0n : 0)).toEqual(err('invalid-argument'));
        }
        expect((await call('subscribe', socket)).ready()).toBe(true);
      }
    });

    it('counts as a connection, until it is dropped', async () => {
      const { guest, create } = await udpGuest([], { app: 'one-udp', runtime: RuntimeGrant.parse({ outboundNetworking: { maxSocketConnections: 1 } }) });
      const { val: socket } = await create();
      expect(await create()).toEqual(err('new-socket-limit'));
      guest.host(`wasi:sockets/udp@${version}`, '[resource-drop]udp-socket')(socket);
      expect((await create()).tag).toBe('ok');
      guest.next();
      expect((await create()).tag).toBe('ok');
    });
  });

  describe('a look-up', () => {
    it('gives the addresses of a name, whatever the manifest allows', async () => {
      const { of, network, poll } = await guestWith([]);
      const lookup = await of('ip-name-lookup');
      const all = async (name: string) => {
        const { tag, val: stream } = await lookup.call('resolve-addresses', network, name);
        if (tag === 'err') return stream;
        await poll('[method]pollable.block', await lookup.call('[method]resolve-address-stream.subscribe', stream));
        const found = [];
        for (;;) {
          const next = await lookup.call('[method]resolve-address-stream.resolve-next-address', stream);
          if (next.tag === 'err') return next.val;
          if (next.val === undefined) return found;
          found.push(next.val);
        }
      };
      expect(await all('localhost')).toContainEqual({ tag: 'ipv4', val: [127, 0, 0, 1] });
      expect(await all('10.1.2.3')).toEqual([{ tag: 'ipv4', val: [10, 1, 2, 3] }]);
      expect(await all('[::1]')).toEqual([{ tag: 'ipv6', val: [0, 0, 0, 0, 0, 0, 0, 1] }]);
      expect(await all('no.such.name.invalid')).toMatch(/^(name-unresolvable|temporary-resolver-failure)$/);
      for (const name of ['', 'a b', 'http://localhost', 'localhost:80', 'a/b']) expect(await all(name)).toBe('invalid-argument');
    });
  });
});
