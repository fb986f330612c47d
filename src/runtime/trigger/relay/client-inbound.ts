import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { announcesBody } from '../request-body.js';
import { writeHead } from '../response-sink.js';
import type { Fields, Inbound, Outgoing } from './exchange.js';
import { passedBack, passedOn, toLists, toPairs } from './relay-fields.js';

/** What came in by a server of HTTP/1.1. */
export interface ServerCall {
  request: IncomingMessage;
  response: ServerResponse;
  expectsContinue: boolean;
  front: { readonly draining: boolean };
}

/** A request of a client, or of a process of ours, over HTTP/1.1. */
export class ClientInbound implements Inbound {
  private hasProceeded = false;

  constructor(private readonly call: ServerCall) {}

  get body(): Readable | null {
    return announcesBody(this.call.request) ? this.call.request : null;
  }

  get bodyTrailers(): Fields {
    return this.call.request.rawTrailers;
  }

  get expectsContinue(): boolean {
    return this.call.expectsContinue;
  }

  get isOver(): boolean {
    return this.call.response.closed || this.call.response.destroyed;
  }

  get hasBegun(): boolean {
    return this.call.response.headersSent;
  }

  proceed(): void {
    if (!this.call.expectsContinue || this.hasProceeded || this.isOver) return;
    this.hasProceeded = true;
    this.call.response.writeContinue();
  }

  /** Not to a client of HTTP/1.0, which would take it for the answer (RFC 9110, section 15.2). */
  inform(status: number, fields: Fields): void {
    const { request, response } = this.call;
    if (request.httpVersionMinor === 0 || this.hasBegun || this.isOver) return;
    response.writeInformation(status, toLists(passedBack(fields)));
  }

  begin(status: number, fields: Fields): Writable {
    const { response, front, expectsContinue } = this.call;
    // Who was not told to go on may or may not send the body: the connection cannot be read any further.
    writeHead(response, status, passedBack(fields), front.draining || (expectsContinue && !this.hasProceeded));
    return response;
  }

  addTrailers(fields: Fields): void {
    this.call.response.addTrailers(toPairs(fields));
  }

  abort(): void {
    this.call.response.destroy();
  }

  onOver(listener: (isWhole: boolean) => void): () => void {
    const { response } = this.call;
    const over = (): void => listener(response.writableFinished);
    response.once('close', over);
    if (this.isOver) queueMicrotask(over);
    return () => response.off('close', over);
  }
}

/** A request as it is passed on, with fields of ours behind its own; of a process of ours, with those that it has. */
export function toOutgoing({ request }: ServerCall, authority: string, target: string, ours: Fields | 'its own'): Outgoing {
  const fields = ours === 'its own' ? passedOn(request.rawHeaders, true) : [...passedOn(request.rawHeaders), ...ours];
  return { method: request.method!, authority, target, fields, hasBody: announcesBody(request), isChunked: request.headers['transfer-encoding'] !== undefined };
}
