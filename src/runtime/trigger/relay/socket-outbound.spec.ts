import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Open, Outgoing } from './exchange.js';
import { toKeptSocket } from './socket-outbound.js';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const ASKED: Outgoing = { method: 'GET', authority: 'app.localhost', target: '/', fields: [], hasBody: false, isChunked: false };

let dir: string;
let server: Server;
let open: Open;
/** What becomes of each request, by connection and request on it, from 0. */
let onRequest: (socket: Socket, connection: number, request: number) => void;
let connections: number;
const sockets = new Set<Socket>();

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'whorl-so-'));
  connections = 0;
  onRequest = (socket) => void socket.write(OK);
  server = createServer((socket) => {
    const connection = connections++;
    let requests = 0;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', () => onRequest(socket, connection, requests++));
  });
  await new Promise<void>((resolve) => server.listen({ path: join(dir, 's.sock') }, resolve));
  open = toKeptSocket({ path: join(dir, 's.sock'), asksToProceed: false, keptMs: 20_000 });
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** The status, or whether somebody may have seen the request. */
const ask = (outgoing = ASKED): Promise<number | { wasSent: boolean }> =>
  new Promise((resolve) => {
    const outbound = open(outgoing, {
      ready: () => outgoing.hasBody && outbound.body.end('body'),
      proceed: () => {},
      inform: () => {},
      // A turn later than the end of it the connection is free.
      head: (status, _fields, body) => void body.resume().on('end', () => setImmediate(resolve, status)),
      failed: (_error, wasSent) => resolve({ wasSent }),
    });
    if (!outgoing.hasBody) outbound.body.end();
  });

describe('connections to a process of the own node', () => {
  it('are used again', async () => {
    for (let i = 0; i < 50; i++) expect(await ask()).toBe(200);
    expect(connections).toBe(1);
  });

  it('are made anew for a request with a body', async () => {
    const withBody = { ...ASKED, method: 'POST', fields: ['content-length', '4'], hasBody: true };
    expect([await ask(), await ask(withBody), await ask(withBody)]).toEqual([200, 200, 200]);
    expect(connections).toBe(3);
  });
});

describe('a request that meets a kept connection as it is closed', () => {
  it.each([['before it is written', 0], ['after it is written', 20]])('goes out again when nobody has read it (closed %s)', async (_when, ticks) => {
    let first: Socket | undefined;
    onRequest = (socket) => {
      first ??= socket;
      socket.write(OK);
    };
    expect(await ask()).toBe(200);
    const asked = ask({ ...ASKED, method: 'POST' });
    // Nothing is read meanwhile.
    for (let i = 0; i < ticks; i++) await new Promise<void>((resolve) => process.nextTick(resolve));
    first!.destroy();
    expect(await asked).toBe(200);
    expect(connections).toBe(2);
  });

  it('does not when somebody may have seen it', async () => {
    let seen = 0;
    onRequest = (socket, _connection, request) => {
      seen++;
      if (request === 0) socket.write(OK);
      else socket.destroy();
    };
    expect(await ask()).toBe(200);
    expect(await ask()).toEqual({ wasSent: true });
    expect(seen).toBe(2);
  });

  it('is told not to have been sent when there is nobody any more', async () => {
    expect(await ask()).toBe(200);
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      onRequest = (socket) => void socket.destroy();
      void ask();
    });
    expect(await ask()).toEqual({ wasSent: false });
  });
});
