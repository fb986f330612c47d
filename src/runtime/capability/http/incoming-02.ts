import { Err } from '#engine/run/host.js';
import { EOF, type ByteSource, type HttpExchange } from '../guest.js';
import type { HostMemory } from '../host-memory.js';
import { InputStream } from '../io/input-stream.js';
import { Pollable } from '../wait.js';
import { errorCodeOf, type ErrorCode } from './error-code.js';
import { Fields } from './fields.js';
import { HTTP, methodOf, type Method, type Scheme } from './method.js';

const TAKEN = new Err(undefined);
const DRAIN_BYTES = 64 * 1024;
export type Tagged<T, E> = { tag: 'ok'; val: T } | { tag: 'err'; val: E };

/** The trailers of a body; asking for them drops what was not read of it. */
export class FutureTrailers extends Pollable {
  private outcome: Tagged<Fields | undefined, ErrorCode> | null = null;
  private given = false;

  constructor(private readonly source: ByteSource, private readonly ofResponse: boolean) {
    super();
  }

  /** What was not read of a response need not come. */
  drop(): void {
    if (this.ofResponse) this.source.cancel();
  }

  ready(): boolean {
    if (this.outcome) return true;
    try {
      let chunk = this.source.read(DRAIN_BYTES);
      while (chunk !== null && chunk !== EOF) chunk = this.source.read(DRAIN_BYTES);
      if (chunk === null) return false;
      const trailers = this.source.trailers();
      this.outcome = { tag: 'ok', val: trailers ? Fields.fromWire(trailers) : undefined };
    } catch (error) {
      this.outcome = { tag: 'err', val: errorCodeOf(error) };
    }
    return true;
  }

  /** option<result<result<option<trailers>, error-code>>>: the outer error says that it was given already. */
  get(): Tagged<Tagged<Fields | undefined, ErrorCode>, undefined> | undefined {
    const outcome = this.once();
    return outcome === null ? { tag: 'err', val: undefined } : outcome && { tag: 'ok', val: outcome };
  }

  /** undefined: not known yet; null: given already. */
  once(): Tagged<Fields | undefined, ErrorCode> | undefined | null {
    if (!this.ready()) return undefined;
    if (this.given) return null;
    this.given = true;
    return this.outcome!;
  }

  protected override watch(): void {
    this.source.onReadable = () => this.wake();
  }
}

export class IncomingBody {
  private taken = false;

  /** @param memory of a response: the account that it is held on; null: the request's own */
  constructor(private readonly source: ByteSource, private readonly memory: HostMemory | null = null) {}

  stream(): InputStream | Err {
    if (this.taken) return TAKEN;
    this.taken = true;
    return new InputStream(this.source, this.memory);
  }

  finish(): FutureTrailers {
    return new FutureTrailers(this.source, this.memory !== null);
  }

  /** What was not read of a response need not come. */
  drop(): void {
    if (this.memory) this.source.cancel();
  }
}

/** `incoming-request` of wasi:http/types@0.2.x; fields are copied at the first look. */
export class IncomingRequest {
  private consumed = false;
  private fields: Fields | null = null;

  constructor(private readonly exchange: HttpExchange) {}

  method(): Method {
    return methodOf(this.exchange.method);
  }

  pathWithQuery(): string {
    return this.exchange.pathWithQuery;
  }

  scheme(): Scheme {
    return this.exchange.scheme === 'https' ? { tag: 'HTTPS' } : HTTP;
  }

  authority(): string {
    return this.exchange.authority;
  }

  headers(): Fields {
    return (this.fields ??= Fields.fromWire(this.exchange.headers));
  }

  consume(): IncomingBody | Err {
    if (this.consumed) return TAKEN;
    this.consumed = true;
    return new IncomingBody(this.exchange.body);
  }
}

/** `incoming-response` of wasi:http/types@0.2.x. */
export class IncomingResponse {
  private consumed = false;

  constructor(readonly status: number, readonly headers: Fields, private readonly body: ByteSource, private readonly memory: HostMemory) {}

  consume(): IncomingBody | Err {
    if (this.consumed) return TAKEN;
    this.consumed = true;
    return new IncomingBody(this.body, this.memory);
  }

  /** Dropped with its body untaken: nobody will read it. */
  drop(): void {
    this.headers.drop();
    if (!this.consumed) this.body.cancel();
  }
}

/** `future-incoming-response`: settled by the outbound exchange. */
export class FutureIncomingResponse extends Pollable {
  private outcome: Tagged<IncomingResponse, ErrorCode> | null = null;
  private given = false;
  /** Stops the exchange when the guest drops the future first. */
  cancel: (() => void) | null = null;

  ready(): boolean {
    return this.outcome !== null;
  }

  settle(outcome: Tagged<IncomingResponse, ErrorCode>): void {
    if (this.outcome) return;
    this.outcome = outcome;
    this.wake();
  }

  get(): Tagged<Tagged<IncomingResponse, ErrorCode>, undefined> | undefined {
    if (!this.outcome) return undefined;
    if (this.given) return { tag: 'err', val: undefined };
    this.given = true;
    return { tag: 'ok', val: this.outcome };
  }

  drop(): void {
    if (!this.outcome) this.cancel?.();
  }
}
