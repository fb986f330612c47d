import { describe, expect, it } from '@jest/globals';
import { createServer, request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { EOF } from '#runtime/capability/guest.js';
import { RequestBody } from './request-body.js';

/** Sends a request with this body and gives what `read` makes of it on the server's side. */
async function receive<T>(body: string, read: (incoming: IncomingMessage) => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const server = createServer((incoming, response) => {
    read(incoming).then(resolve, reject).finally(() => response.end());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  request({ port, method: 'POST', agent: false }).on('response', (answer) => answer.resume()).end(body);
  return promise.finally(() => server.close());
}

/** Sends a request of more than one part; `run` has both ends of it. */
async function exchange<T>(run: (body: RequestBody, client: ClientRequest, incoming: IncomingMessage) => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const server = createServer((incoming, response) => {
    run(new RequestBody(incoming, null), client, incoming).then(resolve, reject).finally(() => response.end());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const client = request({ port, method: 'POST', agent: false }).on('error', () => undefined).on('response', (answer) => answer.resume());
  client.flushHeaders();
  return promise.finally(() => server.close());
}

/** What comes next, waited for. */
async function next(body: RequestBody): Promise<string> {
  for (;;) {
    const part = body.read(100);
    if (part !== null) return part === EOF ? 'end' : Buffer.from(part).toString();
    await new Promise<void>((wake) => { body.onReadable = wake; });
  }
}

describe(RequestBody.name, () => {
  it('knows at once that a body ends which came with its head: nobody has to wait for that', async () => {
    const seen = await receive('small', async (incoming) => {
      await turn();
      const body = new RequestBody(incoming, null);
      return [Buffer.from(body.read(100) as Uint8Array).toString(), body.read(100)];
    });
    expect(seen).toEqual(['small', EOF]);
  });

  it('gives no end before all was read', async () => {
    const seen = await receive('0123456789', async (incoming) => {
      await turn();
      const body = new RequestBody(incoming, null);
      const parts = Array.from({ length: 4 }, () => body.read(4));
      return parts.map((part) => (part === EOF ? 'end' : Buffer.from(part as Uint8Array).toString()));
    });
    expect(seen).toEqual(['0123', '4567', '89', 'end']);
  });

  it('wakes who waits when more has come', async () => {
    const seen = await exchange(async (body, client) => {
      client.write('first');
      const parts = [await next(body)];
      client.end('second');
      for (let part = await next(body); part !== 'end'; part = await next(body)) parts.push(part);
      return parts;
    });
    expect(seen).toEqual(['first', 'second']);
  });

  it.each([true, false])('says that the client has gone before the body was complete; somebody waited for it: %s', async (waits) => {
    await expect(exchange(async (body, client, incoming) => {
      client.write('first');
      const gone = new Promise((closed) => incoming.on('close', closed));
      await next(body);
      const more = waits ? next(body) : null;
      client.destroy();
      await gone;
      return more ?? next(body);
    })).rejects.toThrow(/aborted|closed the connection/);
  });
});
