import type { IncomingMessage, ServerResponse } from 'node:http';
import { EMPTY_SOURCE } from '#runtime/capability/byte-pipe.js';
import type { ByteSink, ByteSource, Headers, HttpExchange } from '#runtime/capability/guest.js';
import { announcesBody, RequestBody } from './request-body.js';
import { ResponseSink } from './response-sink.js';

/** A request of a client, with the answer's way back. */
export interface ClientCall {
  request: IncomingMessage;
  response: ServerResponse;
  /** The client waits for `100 Continue` before it sends the body. */
  expectsContinue: boolean;
  isDraining(): boolean;
  /** The guest's answer could not be sent. */
  onFault(error: Error): void;
}

/** An exchange over a client's connection. */
export class ClientExchange implements HttpExchange {
  readonly method: string;
  readonly scheme = 'http';
  readonly body: ByteSource;
  private sink: ResponseSink | null = null;
  private wasAsked = false;

  constructor(private readonly call: ClientCall, readonly authority: string, readonly pathWithQuery: string, readonly headers: Headers) {
    const { request, response, expectsContinue } = call;
    this.method = request.method ?? 'GET';
    this.body = announcesBody(request) ? new RequestBody(request, expectsContinue ? response : null) : EMPTY_SOURCE;
    if (expectsContinue) {
      const write = response.writeContinue.bind(response);
      response.writeContinue = (...args) => {
        this.wasAsked = true;
        write(...args);
      };
    }
  }

  respond(status: number, headers: Headers): ByteSink {
    const { response, expectsContinue, isDraining, onFault } = this.call;
    // A client that was not told to go on may or may not send the body: the connection cannot be read any further.
    const close = isDraining() || (expectsContinue && !this.wasAsked);
    this.sink = new ResponseSink(response, { status, headers, close }, onFault);
    return this.sink;
  }

  /** Calls `gone` when the client closes the connection before it has the whole answer. */
  watch(gone: () => void): void {
    const { response } = this.call;
    const closed = () => {
      if (response.writableFinished) return;
      // First of all: what the guest makes of a closed answer is no fault of its.
      gone();
      this.sink?.hangUp();
    };
    if (response.closed || response.destroyed) closed();
    else response.once('close', closed);
  }
}
