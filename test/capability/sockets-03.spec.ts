import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { EOF as PIPE_EOF, hostStream, type Pipe } from '#engine/run/pipe.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { bytes, TestGuest, text } from './guest-state.js';
import { echo, tcpPeer, udpEcho, until, v4, v6, type TcpPeer } from './sockets-fixture.js';

const guests: TestGuest[] = [];
let peer: TcpPeer;
beforeAll(async () => { peer = await tcpPeer(echo); });
afterAll(() => peer.close());
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

const OK = { tag: 'ok' };
const err = (tag: string) => ({ tag: 'err', val: { tag } });
const valueOf = (future: Pipe) => new Promise((resolve) => { future.attach({ value: resolve, end: () => resolve('none') }); });
async function readPipe(stream: Pipe): Promise<string> {
  let all = '';
  await new Promise<void>((resolve) => { stream.attach({ write: (chunk) => { all += text(chunk as Uint8Array); return true; }, end: () => resolve() }); });
  return all;
}
const streamOf = (...parts: string[]) => {
  const queue = parts.map(bytes);
  return hostStream({ pull: () => queue.shift() ?? PIPE_EOF });
};

/** Of the guests that a test makes. */
let version = '';

async function guestWith(allowed: string[] = [`*://127.0.0.1:${peer.port}`], grant: Partial<GuestGrant> = {}) {
  const guest = new TestGuest({ allowedOutboundHosts: allowed, ...grant });
  guests.push(guest);
  const types = await Forwarder.of(`wasi:sockets/types@${version}`, guest);
  const tcp = (name: string, ...args: unknown[]) => types.call(`[method]tcp-socket.${name}`, ...args);
  const udp = (name: string, ...args: unknown[]) => types.call(`[method]udp-socket.${name}`, ...args);
  const create = async (kind: 'tcp' | 'udp', family = 'ipv4') => (await types.call(`[static]${kind}-socket.create`, family)).val;
  const connected = async (port = peer.port) => {
    const socket = await create('tcp');
    expect(await tcp('connect', socket, v4(port))).toMatchObject(OK);
    return socket;
  };
  return { guest, types, tcp, udp, create, connected };
}

describe.each(['0.3.0', '0.3.0-rc-2026-03-15'])('sockets of a %s guest', (each) => {
  beforeAll(() => { version = each; });

  describe('a TCP socket', () => {
    it('sends a stream and its end, and receives one', async () => {
      const { tcp, connected } = await guestWith();
      const socket = await connected();
      const sent = await tcp('send', socket, streamOf('So rested he ', 'by the Tumtum tree'));
      const [stream, ended] = await tcp('receive', socket);
      expect(await readPipe(stream)).toBe('So rested he by the Tumtum tree');
      expect(await valueOf(sent)).toMatchObject(OK);
      expect(await valueOf(ended)).toMatchObject(OK);
    });

    it('knows its addresses, and each direction once', async () => {
      const { tcp, connected } = await guestWith();
      const socket = await connected();
      expect(await tcp('get-remote-address', socket)).toEqual({ tag: 'ok', val: v4(peer.port) });
      expect((await tcp('get-local-address', socket)).tag).toBe('ok');
      await tcp('receive', socket);
      const [again, why] = await tcp('receive', socket);
      expect(await readPipe(again)).toBe('');
      expect(await valueOf(why)).toEqual(err('invalid-state'));
      await tcp('send', socket, hostStream({ pull: () => null }));
      expect(await valueOf(await tcp('send', socket, streamOf('x')))).toEqual(err('invalid-state'));
      expect(await tcp('connect', socket, v4(peer.port))).toEqual(err('invalid-state'));
    });

    it('neither binds nor listens, and goes where it may alone', async () => {
      const { guest, tcp, create } = await guestWith(['tcp://127.0.0.2:7']);
      const socket = await create('tcp');
      expect(await tcp('bind', socket, v4(0, [0, 0, 0, 0]))).toEqual(err('access-denied'));
      expect(await tcp('bind', socket, v6(0))).toEqual(err('invalid-argument'));
      expect(await tcp('listen', socket)).toEqual(err('access-denied'));
      expect(await tcp('connect', socket, v4(7))).toEqual(err('access-denied'));
      expect(guest.notes[0]).toContain("'tcp://127.0.0.1:7'");
      expect(await tcp('get-is-listening', socket)).toBe(false);
      expect(await tcp('get-address-family', socket)).toBe('ipv4');
      for (const name of ['get-local-address', 'get-remote-address']) expect(await tcp(name, socket)).toEqual(err('invalid-state'));
      expect(await valueOf(await tcp('send', socket, streamOf('x')))).toEqual(err('invalid-state'));
    });

    it('says that nobody listens, and that there are too many', async () => {
      const gone = await tcpPeer(echo);
      await gone.close();
      const { tcp, create, connected } = await guestWith(['*://*:*'], { app: 'one-socket', runtime: RuntimeGrant.parse({ outboundNetworking: { maxSocketConnections: 1 } }) });
      expect(await tcp('connect', await create('tcp'), v4(gone.port))).toEqual(err('connection-refused'));
      await connected();
      expect(await tcp('connect', await create('tcp'), v4(peer.port))).toEqual({ tag: 'err', val: { tag: 'other', val: 'connection quota exhausted' } });
    });

    it('tells both directions when the other side breaks off', async () => {
      const rude = await tcpPeer((socket) => socket.write('partial', () => setTimeout(() => socket.resetAndDestroy(), 20)));
      const { tcp, connected } = await guestWith(['*://*:*']);
      const socket = await connected(rude.port);
      const sent = await tcp('send', socket, hostStream({ pull: () => null }));
      const [stream, ended] = await tcp('receive', socket);
      expect(await readPipe(stream)).toBe('partial');
      expect(await valueOf(ended)).toEqual(err('connection-reset'));
      expect(await valueOf(sent)).toEqual(err('connection-reset'));
      await rude.close();
    });

    it('carries 8 MiB through an echo with backpressure', async () => {
      const { guest, tcp, connected } = await guestWith();
      const socket = await connected();
      let left = 128;
      const sent = await tcp('send', socket, hostStream({ pull: () => (left-- > 0 ? new Uint8Array(65_536) : PIPE_EOF) }));
      const [stream, ended] = await tcp('receive', socket);
      let received = 0;
      let mostHeld = 0;
      await new Promise<void>((resolve) => {
        (stream as Pipe).attach({
          write: (chunk) => {
            received += chunk.length;
            mostHeld = Math.max(mostHeld, guest.memory.heldBytes);
            setImmediate(() => (stream as Pipe).drained());
            return false;
          },
          end: () => resolve(),
        });
      });
      expect(received).toBe(128 * 65_536);
      expect(mostHeld).toBeLessThan(2_000_000);
      expect(await valueOf(sent)).toMatchObject(OK);
      expect(await valueOf(ended)).toMatchObject(OK);
    });

    it('goes on when it is dropped, as long as it has a stream, and is closed with the last one', async () => {
      const { guest, tcp, connected } = await guestWith();
      const before = peer.sockets.size;
      const socket = await connected();
      const [stream] = await tcp('receive', socket);
      const sent = await tcp('send', socket, streamOf('still here'));
      guest.host(`wasi:sockets/types@${version}`, '[resource-drop]tcp-socket')(socket);
      expect(await readPipe(stream)).toBe('still here');
      expect(await valueOf(sent)).toMatchObject(OK);
      await until(() => peer.sockets.size === before);
    });

    it('is closed when the guest wants no more of it, and with the invocation', async () => {
      const quiet = await tcpPeer(() => undefined);
      const { guest, tcp, connected } = await guestWith(['*://*:*']);
      const socket = await connected(quiet.port);
      const [stream, ended] = await tcp('receive', socket);
      (stream as Pipe).hostDrop();
      expect(await valueOf(ended)).toMatchObject(OK);
      guest.host(`wasi:sockets/types@${version}`, '[resource-drop]tcp-socket')(socket);
      const other = await connected(quiet.port);
      await tcp('receive', other);
      guest.next();
      await until(() => [...quiet.sockets].every((each) => each.readableEnded));
      await quiet.close();
    });

    it('gives up a connection that the guest no longer waits for', async () => {
      const { guest, create } = await guestWith(['*://*:*']);
      const socket = await create('tcp');
      const promise = guest.calls(`wasi:sockets/types@${version}`)('[method]tcp-socket.connect', socket, v4(peer.port));
      promise.abort();
      expect(await promise).toMatchObject({ payload: { tag: 'connection-aborted' } });
      await until(() => peer.sockets.size === 0);
    });

    it('keeps its options', async () => {
      const { tcp, create } = await guestWith();
      const socket = await create('tcp');
      for (const [name, value] of [
        ['keep-alive-enabled', true], ['keep-alive-idle-time', 2_000_000_000n], ['keep-alive-interval', 3_000_000_000n], ['keep-alive-count', 5],
        ['hop-limit', 9], ['receive-buffer-size', 4096n], ['send-buffer-size', 4096n],
      ] as const) {
        expect(await tcp(`set-${name}`, socket, value)).toEqual(OK);
        expect(await tcp(`get-${name}`, socket)).toEqual({ tag: 'ok', val: value });
      }
      expect(await tcp('set-hop-limit', socket, 0)).toEqual(err('invalid-argument'));
      expect(await tcp('set-listen-backlog-size', socket, 8n)).toEqual(OK);
    });
  });

  describe('a UDP socket', () => {
    it('sends and receives, with a peer and without', async () => {
      const server = await udpEcho();
      const { udp, create } = await guestWith([`udp://127.0.0.1:${server.port}`]);
      const socket = await create('udp');
      expect(await udp('receive', socket)).toEqual(err('invalid-state'));
      expect(await udp('send', socket, bytes('one'), v4(server.port))).toEqual(OK);
      expect(await udp('receive', socket)).toEqual({ tag: 'ok', val: [new Uint8Array(bytes('one')), v4(server.port)] });
      expect(await udp('send', socket, bytes('x'), undefined)).toEqual(err('invalid-argument'));
      expect(await udp('disconnect', socket)).toEqual(err('invalid-state'));
      expect(await udp('connect', socket, v4(server.port))).toEqual(OK);
      expect(await udp('get-remote-address', socket)).toEqual({ tag: 'ok', val: v4(server.port) });
      expect(await udp('send', socket, bytes('two'), undefined)).toEqual(OK);
      expect((await udp('receive', socket)).val[0]).toEqual(new Uint8Array(bytes('two')));
      expect(await udp('disconnect', socket)).toEqual(OK);
      expect(await udp('get-remote-address', socket)).toEqual(err('invalid-state'));
      expect((await udp('get-local-address', socket)).tag).toBe('ok');
      expect(await udp('get-address-family', socket)).toBe('ipv4');
      server.close();
    });

    it('sends where the policy allows, from an address of the system’s choice', async () => {
      const { udp, create } = await guestWith(['udp://127.0.0.2:7']);
      const socket = await create('udp');
      expect(await udp('send', socket, bytes('x'), v4(7))).toEqual(err('access-denied'));
      expect(await udp('connect', socket, v4(7))).toEqual(err('access-denied'));
      expect(await udp('bind', await create('udp'), v4(5353, [0, 0, 0, 0]))).toEqual(err('access-denied'));
      expect(await udp('bind', await create('udp'), v4(0, [0, 0, 0, 0]))).toEqual(OK);
      expect(await udp('send', await create('udp'), new Uint8Array(65_508), v4(7, [127, 0, 0, 2]))).toEqual(err('datagram-too-large'));
      for (const [name, value] of [['unicast-hop-limit', 3], ['receive-buffer-size', 8192n], ['send-buffer-size', 8192n]] as const) {
        expect(await udp(`set-${name}`, socket, value)).toEqual(OK);
        expect(await udp(`get-${name}`, socket)).toEqual({ tag: 'ok', val: value });
      }
    });

    it('stops waiting when the guest cancels', async () => {
      const { guest, udp, create } = await guestWith(['*://*:*']);
      const socket = await create('udp');
      await udp('bind', socket, v4(0, [0, 0, 0, 0]));
      const promise = guest.calls(`wasi:sockets/types@${version}`)('[method]udp-socket.receive', socket);
      promise.abort();
      expect(await promise).toMatchObject({ payload: { tag: 'connection-aborted' } });
    });
  });

  describe('a look-up', () => {
    it('gives the addresses of a name, whatever the manifest allows', async () => {
      const guest = new TestGuest();
      guests.push(guest);
      const lookup = await Forwarder.of(`wasi:sockets/ip-name-lookup@${version}`, guest);
      expect((await lookup.call('resolve-addresses', 'localhost')).val).toContainEqual({ tag: 'ipv4', val: [127, 0, 0, 1] });
      expect(await lookup.call('resolve-addresses', '10.1.2.3')).toEqual({ tag: 'ok', val: [{ tag: 'ipv4', val: [10, 1, 2, 3] }] });
      expect(await lookup.call('resolve-addresses', 'a b')).toEqual(err('invalid-argument'));
      expect((await lookup.call('resolve-addresses', 'no.such.name.invalid')).val.tag).toMatch(/^(name-unresolvable|temporary-resolver-failure)$/);
    });
  });
});
