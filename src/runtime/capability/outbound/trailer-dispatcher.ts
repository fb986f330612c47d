import { request as sendRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { GuestGrant, Headers } from '../guest.js';
import { dial } from './dial.js';

/** What NetworkExchange asks of undici's agent, and of this. */
export interface TrailingRequest {
  origin: string;
  path: string;
  method: string;
  headers: readonly string[];
  body: Readable | Uint8Array | null;
  /** Known when the body has ended. */
  trailers(): Headers | undefined;
}

class Controller implements Dispatcher.DispatchController {
  aborted = false;
  reason: Error | null = null;
  rawHeaders: string[] | null = null;
  rawTrailers: string[] | null = null;
  response: IncomingMessage | null = null;

  constructor(private readonly socket: Socket) {}

  get paused(): boolean {
    return this.response?.isPaused() ?? false;
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.socket.destroy(reason);
  }

  pause(): void {
    this.response?.pause();
  }

  resume(): void {
    this.response?.resume();
  }
}

/**
 * Sends a request with trailer fields, which undici cannot: HTTP/1.1, a connection of its own by `dial`, closed after it. For requests whose
 * header says that trailers come (`trailer`, RFC 9110, section 6.6.2); those of others are not sent.
 */
export class TrailerDispatcher {
  constructor(private readonly grant: GuestGrant) {}

  dispatch(request: TrailingRequest, handler: Dispatcher.DispatchHandler): void {
    const { protocol, hostname, port } = new URL(request.origin);
    const isTls = protocol === 'https:';
    const target = { host: hostname, port: Number(port || (isTls ? 443 : 80)), kind: 'http' as const, ...(isTls && { tls: { ALPNProtocols: ['http/1.1'] } }) };
    dial(this.grant, target).then(
      (socket) => send(socket, { ...request, host: hostname, port: target.port, defaultPort: isTls ? 443 : 80 }, handler),
      (error: unknown) => handler.onResponseError?.(undefined as never, error as Error),
    );
  }
}

function send(socket: Socket, { method, path, headers, body, trailers, ...target }: TrailingRequest & { host: string; port: number; defaultPort: number }, handler: Dispatcher.DispatchHandler): void {
  const controller = new Controller(socket);
  let ended = false;
  const fail = (error: Error) => {
    if (ended) return;
    ended = true;
    socket.destroy();
    handler.onResponseError?.(controller, controller.reason ?? error);
  };
  const request = sendRequest({ ...target, method, path, headers: grouped(headers), createConnection: () => socket, agent: false });
  request.once('error', fail);
  request.once('response', (response) => {
    controller.response = response;
    controller.rawHeaders = response.rawHeaders;
    response.once('error', fail);
    response.on('data', (chunk: Buffer) => handler.onResponseData?.(controller, chunk));
    response.once('end', () => {
      ended = true;
      controller.rawTrailers = response.rawTrailers;
      handler.onResponseEnd?.(controller, {});
      socket.destroy();
    });
    handler.onResponseStart?.(controller, response.statusCode!, response.headers, response.statusMessage);
  });
  handler.onRequestStart?.(controller, null);
  if (body === null || body instanceof Uint8Array) {
    request.end(body ?? undefined);
    return;
  }
  body.once('end', () => {
    const fields = trailers();
    if (fields) request.addTrailers(fields.map(([name, value]): [string, string] => [name, value]));
    request.end();
  });
  body.pipe(request, { end: false });
}

/** Node decides how a message is framed only when it gets its fields by name. */
function grouped(headers: readonly string[]): Record<string, string[]> {
  const fields: Record<string, string[]> = { 'transfer-encoding': ['chunked'], connection: ['close'] };
  for (let i = 0; i + 1 < headers.length; i += 2) (fields[headers[i]!] ??= []).push(headers[i + 1]!);
  return fields;
}
