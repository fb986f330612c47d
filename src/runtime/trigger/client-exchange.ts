import { EMPTY_SOURCE } from '#runtime/capability/byte-pipe.js';
import type { ByteSink, ByteSource, Headers, HttpExchange } from '#runtime/capability/guest.js';
import type { ClientCall } from './client-call.js';
import { announcesBody, RequestBody } from './request-body.js';
import { injectHeaders, toClientAddress, toGuestFields } from './request-headers.js';
import type { RequestRoute } from './request-route.js';
import { ResponseSink } from './response-sink.js';
import { TappedSink, TappedSource } from './shadow-tap.js';

/** Names the request in logs and in the history of its app; of answers to clients that prefer to have it: others get the fields that the guest gave. */
const REQUEST_ID = 'whorl-request-id';
const PREFER = 'prefer';

/** An exchange over a client's connection. */
export class ClientExchange implements HttpExchange {
  readonly method: string;
  readonly scheme = 'http';
  readonly body: ByteSource;
  private sink: ResponseSink | null = null;
  private wasAsked = false;
  private fields: Headers | null = null;

  constructor(private readonly call: ClientCall, private readonly route: Omit<RequestRoute, 'channel' | 'version' | 'seen'>, private readonly requestId: () => string) {
    const { request, response, expectsContinue } = call;
    this.method = request.method ?? 'GET';
    this.body = announcesBody(request) ? this.tapped(new RequestBody(request, expectsContinue ? response : null)) : EMPTY_SOURCE;
    if (expectsContinue) {
      const write = response.writeContinue.bind(response);
      response.writeContinue = (...args) => {
        this.wasAsked = true;
        write(...args);
      };
    }
  }

  get authority(): string {
    return this.route.authority;
  }

  get pathWithQuery(): string {
    return this.route.pathWithQuery;
  }

  get clientAddress(): string {
    const { handed } = this.route;
    if (handed) return handed.clientAddress;
    const { remoteAddress, remotePort } = this.call.request.socket;
    return toClientAddress(remoteAddress, remotePort);
  }

  /** Made when they are looked at: many guests answer without. */
  get headers(): Headers {
    return (this.fields ??= this.readHeaders());
  }

  respond(status: number, headers: Headers): ByteSink {
    const { response, expectsContinue, front } = this.call;
    const { setCookie } = this.route;
    // A client that was not told to go on may or may not send the body: the connection cannot be read any further.
    const close = front.draining || (expectsContinue && !this.wasAsked);
    const own: [string, string][] = setCookie === null ? [] : [['set-cookie', setCookie]];
    if (prefersRequestId(this.call.request.rawHeaders)) own.push([REQUEST_ID, this.requestId()]);
    this.sink = new ResponseSink(response, { status, headers: own.length > 0 ? [...headers, ...own] : headers, close }, front);
    const { copy } = this.route;
    if (!copy) return this.sink;
    copy.answerBegun(status, headers);
    return new TappedSink(this.sink, copy);
  }

  /** The guest is done with the request. */
  over(): void {
    if (this.body instanceof TappedSource) this.body.takeRest();
  }

  /** Not to a client of HTTP/1.0, which would take it for the answer (RFC 9110, section 15.2). */
  inform(status: number, headers: Headers): void {
    const { request, response } = this.call;
    if (request.httpVersionMinor === 0 || response.headersSent || response.destroyed) return;
    const fields: Record<string, string[]> = {};
    for (const [name, value] of headers) (fields[name] ??= []).push(value);
    response.writeInformation(status, fields);
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

  private tapped(body: RequestBody): ByteSource {
    const { copy } = this.route;
    return copy ? new TappedSource(body, copy) : body;
  }

  private readHeaders(): Headers {
    const { match, authority, pathWithQuery } = this.route;
    return injectHeaders(toGuestFields(this.call.request.rawHeaders, authority), match.value.headers, {
      pathInfo: match.trailing,
      fullUrl: `http://${authority}${pathWithQuery}`,
      clientAddress: this.clientAddress,
      params: match.params,
    });
  }
}

/** `Prefer: whorl-request-id` (RFC 7240), among other preferences or alone. */
function prefersRequestId(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== PREFER.length || name.toLowerCase() !== PREFER) continue;
    if (rawHeaders[i + 1]!.split(',').some((preference) => preference.trim().toLowerCase() === REQUEST_ID)) return true;
  }
  return false;
}
