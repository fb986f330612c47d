import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { AnswerBatch } from './answer-batch.js';
import { ResponseSink } from './response-sink.js';

const faults: string[] = [];
const front = { draining: false, answers: new AnswerBatch(), onFault: (error: Error) => void faults.push((error as NodeJS.ErrnoException).code ?? error.message) };
let answer: (response: ServerResponse) => void;
let server: Server;

beforeAll(async () => {
  server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => void server.close());

async function ask(how: typeof answer): Promise<string> {
  answer = how;
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
  return text(socket).catch(() => 'broken');
}

const sinkOf = (response: ServerResponse, bytes?: number) => new ResponseSink(response, { status: 200, headers: [['content-type', 'text/plain'], ...(bytes === undefined ? [] : [['content-length', String(bytes)] as const])], close: true }, front);

describe(ResponseSink.name, () => {
  it('sends the head with the body, byte for byte', async () => {
    const body = Uint8Array.from({ length: 256 }, (_, i) => i);
    const seen = await ask((response) => {
      const sink = sinkOf(response, body.length);
      sink.write(body);
      sink.end();
      expect(response.headersSent).toBe(false);
    });
    expect(seen).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(seen.endsWith(Buffer.from(body).toString())).toBe(true);
  });

  it('breaks its own connection, and nobody else\'s, when what it is to send cannot be sent', async () => {
    const seen = await ask((response) => {
      const sink = sinkOf(response);
      sink.write(Buffer.from('hello'));
      sink.end([['no name', 'x']]);
    });
    expect(seen).not.toContain('hello');
    expect(faults).toEqual(['ERR_INVALID_HTTP_TOKEN']);
    expect(await ask((response) => sinkOf(response).end())).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});
