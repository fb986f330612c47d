import { describe, expect, it } from '@jest/globals';
import { createServer, request, type IncomingMessage } from 'node:http';
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
});
