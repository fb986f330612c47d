import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { drainServer, makeHttpServer, NO_CLIENT_BOUNDS } from './http-server.js';

describe(drainServer.name, () => {
  let server: Server;
  let draining: boolean;
  let sockets: Socket[];
  beforeEach(async () => {
    draining = false;
    sockets = [];
    server = makeHttpServer(NO_CLIENT_BOUNDS, (_request, response) => {
      if (draining) response.setHeader('connection', 'close');
      response.end('ok');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  });

  const open = async (): Promise<Socket> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  /** The answer; '' when the connection is closed instead. */
  const ask = async (socket: Socket): Promise<string> => {
    if (socket.destroyed || socket.readableEnded) return '';
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    return String((await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => '')]))[0] ?? '');
  };
  const drain = (timeoutMs: number): Promise<void> => {
    draining = true;
    return drainServer(server, timeoutMs);
  };

  it('leaves kept connections open as long as their client has requests, and closes each with an answer', async () => {
    const kept = await Promise.all(Array.from({ length: 20 }, open));
    for (const socket of kept) expect(await ask(socket)).toContain('ok');
    const drained = drain(60_000);
    for (const socket of kept) {
      await sleep(50);
      expect(await ask(socket)).toMatch(/connection: close[^]*ok$/i);
    }
    await drained;
  });

  it('closes connections that nobody uses', async () => {
    const kept = await open();
    await ask(kept);
    const ended = once(kept, 'close');
    await drain(60_000);
    await ended;
  });

  it('closes what is left when its time is up', async () => {
    const kept = await open();
    kept.write('GET / HTTP/1.1\r\nHost: a\r\nContent-Le');
    const ended = once(kept, 'close');
    await drain(100);
    await ended;
  });
});
