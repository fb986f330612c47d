import type { ByteSink, ByteSource, Headers, HttpExchange } from '#runtime/capability/guest.js';

/** A request of one component to another, with the fields that the other gets. */
export class ChainedExchange implements HttpExchange {
  constructor(private readonly inner: HttpExchange, readonly headers: Headers) {}

  get method(): string {
    return this.inner.method;
  }

  get pathWithQuery(): string {
    return this.inner.pathWithQuery;
  }

  get scheme(): 'http' | 'https' {
    return this.inner.scheme;
  }

  get authority(): string {
    return this.inner.authority;
  }

  get body(): ByteSource {
    return this.inner.body;
  }

  respond(status: number, headers: Headers): ByteSink {
    return this.inner.respond(status, headers);
  }
}
