import { expect } from '@jest/globals';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { TestGuest, text } from './guest-state.js';
import { v4, type TcpPeer } from './sockets-fixture.js';

/** A guest with sockets of a 0.2 version, by components that forward each call to the host; `peer` alone is allowed unless `grant` says otherwise. */
export async function socketGuest(peer: TcpPeer, version: string, grant: Partial<GuestGrant> = {}) {
  const guest = new TestGuest({ allowedOutboundHosts: [`*://127.0.0.1:${peer.port}`], ...grant });
  const of = (name: string) => Forwarder.of(`wasi:sockets/${name}@${version}`, guest);
  const tcp = await of('tcp');
  const network = await (await of('instance-network')).call('instance-network');
  const creator = await of('tcp-create-socket');
  const create = async (family = 'ipv4') => (await creator.call('create-tcp-socket', family)).val;
  const call = (name: string, ...args: unknown[]) => tcp.call(`[method]tcp-socket.${name}`, ...args);
  const io = guest.calls('wasi:io/streams@0.2.12');
  const poll = guest.calls('wasi:io/poll@0.2.12');
  const finish = async (socket: unknown) => {
    const ready = await call('subscribe', socket);
    await poll('[method]pollable.block', ready);
    return call('finish-connect', socket);
  };
  const connected = async (port = peer.port) => {
    const socket = await create();
    expect(await call('start-connect', socket, network, v4(port))).toEqual({ tag: 'ok' });
    const { tag, val } = await finish(socket);
    expect(tag).toBe('ok');
    return { socket, input: val[0], output: val[1] };
  };
  const readAll = async (input: unknown) => {
    let all = '';
    for (;;) {
      const chunk = await io('[method]input-stream.blocking-read', input, 65_536n);
      if (!(chunk instanceof Uint8Array)) return { all, error: chunk.payload };
      all += text(chunk);
    }
  };
  return { guest, of, tcp, network, create, call, io, poll, finish, connected, readAll };
}
