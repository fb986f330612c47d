import { createSocket, type Socket as UdpServer } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpPeer {
  port: number;
  /** Connections that are open now. */
  sockets: Set<Socket>;
  close(): Promise<void>;
}

/** A TCP server on loopback that does as told with each connection. */
export async function tcpPeer(onConnection: (socket: Socket) => void, host = '127.0.0.1'): Promise<TcpPeer> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    close: () => new Promise((done) => {
      server.close(() => done());
      for (const socket of sockets) socket.destroy();
    }),
  };
}

/** Gives back what comes, until the end of it. */
export const echo = (socket: Socket): void => { socket.pipe(socket); };

/** A UDP server on loopback that gives back what comes. */
export async function udpEcho(): Promise<{ port: number; server: UdpServer; close(): void }> {
  const server = createSocket('udp4');
  server.on('message', (data, { address, port }) => server.send(data, port, address));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: server.address().port, server, close: () => server.close() };
}

export const LOOPBACK = [127, 0, 0, 1] as const;
export const v4 = (port: number, address: readonly number[] = LOOPBACK) => ({ tag: 'ipv4', val: { port, address: [...address] } });
export const v6 = (port: number, address: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 1]) => ({ tag: 'ipv6', val: { port, flowInfo: 0, address: [...address], scopeId: 0 } });

export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !condition(); i += 1) await new Promise((resolve) => { setTimeout(resolve, 5); });
  if (!condition()) throw new Error('it did not become so');
}
