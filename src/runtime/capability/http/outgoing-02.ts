import { Err } from '#engine/run/host.js';
import type { HttpExchange } from '../guest.js';
import type { HostMemory } from '../host-memory.js';
import { lastOperationFailed, IoError, type StreamError } from '../io/io-error.js';
import { OutputStream } from '../io/output-stream.js';
import { BodyWriter } from './body-writer.js';
import type { ErrorCode } from './error-code.js';
import { declaredLength, Fields } from './fields.js';
import { RequestControl } from './request-control.js';
import { toTrailers } from './trailers.js';

const REFUSED = new Err(undefined);

class BodyStream extends OutputStream {
  constructor(private readonly writer: BodyWriter, private readonly memory: HostMemory) {
    super();
    writer.onDrain = () => this.wake();
  }

  permit(): number {
    return this.writer.permit();
  }

  override writesThrough(): void {
    this.writer.streamed = true;
  }

  put(chunk: Uint8Array): Err<StreamError> | undefined {
    const failed = this.writer.write(chunk);
    this.memory.check();
    return failed && lastOperationFailed(new IoError('the body is longer than its content-length', failed));
  }
}

/** `outgoing-body` of wasi:http/types@0.2.x. */
export class OutgoingBody {
  private streamed = false;

  constructor(readonly writer: BodyWriter, private readonly memory: HostMemory) {}

  write(): OutputStream | Err {
    if (this.streamed) return REFUSED;
    this.streamed = true;
    return new BodyStream(this.writer, this.memory);
  }

  finish(trailers: Fields | undefined): Err<ErrorCode> | undefined {
    const failed = this.writer.end(trailers && toTrailers(trailers.toHeaders()));
    return failed && new Err(failed);
  }

  /** Dropped without `finish`: the message is incomplete, and the other side is to know (wasi:http/types, outgoing-body). */
  drop(): void {
    this.writer.abort(new Error('the body was dropped before it was finished'));
  }
}

abstract class OutgoingMessage {
  protected taken: OutgoingBody | null = null;

  constructor(readonly headers: Fields, protected readonly memory: HostMemory) {
    headers.freeze();
  }

  protected abstract readonly kind: 'request' | 'response';

  body(): OutgoingBody | Err {
    if (this.taken) return REFUSED;
    const declared = declaredLength(this.headers);
    if (declared === undefined) return REFUSED;
    return (this.taken = new OutgoingBody(new BodyWriter(this.kind, declared, this.memory), this.memory));
  }

  /** What was written so far and will be; null: the guest never took the body. */
  get writer(): BodyWriter | null {
    return this.taken?.writer ?? null;
  }

  /** Dropped unsent. */
  drop(): void {
    this.headers.drop();
    this.writer?.discard();
  }
}

/** `outgoing-response` of wasi:http/types@0.2.x. */
export class OutgoingResponse extends OutgoingMessage {
  protected readonly kind = 'response';
  status = 200;

  setStatus(status: number): Err | undefined {
    if (status < 100 || status > 999) return REFUSED;
    this.status = status;
    return undefined;
  }
}

/** `outgoing-request` of wasi:http/types@0.2.x. */
export class OutgoingRequest extends OutgoingMessage {
  protected readonly kind = 'request';
  readonly control = new RequestControl(this.memory);

  override drop(): void {
    super.drop();
    this.control.drop();
  }
}

/** `response-outparam`: what the guest answers with. */
export class ResponseOutparam {
  /**
   * Whether the guest called `set`. The exchange may still be without an answer when the guest is done (its body broke before the head
   * was sent): the stage that owns the exchange answers 500 then, as it does when this is false.
   */
  answered = false;

  constructor(readonly exchange: HttpExchange) {}
}
