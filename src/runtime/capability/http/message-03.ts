import { Err } from '#engine/run/host.js';
import { EOF as PIPE_EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import { EOF, type ByteSource, type Headers } from '../guest.js';
import type { HostMemory } from '../host-memory.js';
import { NO_MORE } from '../io/output-stream.js';
import type { BodyWriter } from './body-writer.js';
import { errorCodeOf, HttpError, type ErrorCode } from './error-code.js';
import { Fields } from './fields.js';
import { RequestControl } from './request-control.js';
import type { RequestOptions } from './request-options.js';
import { toTrailers } from './trailers.js';

const REFUSED = new Err(undefined);
const OK = { tag: 'ok' as const, val: undefined };
type Sent = typeof OK | { tag: 'err'; val: ErrorCode };
type Trailers = { tag: 'ok'; val: Fields | undefined } | { tag: 'err'; val: ErrorCode };

/** The body of a request or response of wasi:http@0.3. It is used once: handed to a guest, or sent. */
export interface Body03 {
  /** `consume-body`; `result` is the consumer's word on how it went. */
  consume(result: Pipe): [contents: Pipe, trailers: Pipe];
  /** Writes all of it into `writer`. */
  sendTo(writer: BodyWriter): void;
  /** Nobody will take it: whoever writes it learns that. */
  drop(): void;
  /** Nothing of the guest runs any more: what it has left open will not be written. */
  guestEnded(): void;
  /** False: there is none, whatever the fields say. */
  readonly present: boolean;
}

/** A body that a guest made: `request.new`, `response.new`. `sent` is the future it got in return. */
export class GuestBody implements Body03 {
  readonly sent = hostFuture();
  private onGuestEnd: (() => void) | null = null;

  constructor(private readonly contents: Pipe | undefined, private readonly trailers: Pipe) {}

  get present(): boolean {
    return this.contents !== undefined;
  }

  consume(result: Pipe): [Pipe, Pipe] {
    result.attach({ value: (sent: unknown) => this.sent.resolve(sent), end: () => this.sent.resolve(OK) });
    return [this.contents ?? hostStream({ pull: () => PIPE_EOF }), this.trailers];
  }

  drop(): void {
    this.contents?.hostDrop();
    this.trailers.hostDrop();
    this.sent.resolve({ tag: 'err', val: { tag: 'connection-terminated' } });
  }

  guestEnded(): void {
    this.onGuestEnd?.();
  }

  sendTo(writer: BodyWriter): void {
    const { contents } = this;
    const settle = (sent: Sent) => this.sent.resolve(sent);
    if (!contents) {
      this.trailers.attach({ value: () => undefined });
      const failed = writer.end();
      settle(failed ? { tag: 'err', val: failed } : OK);
      return;
    }
    const fail = (code: ErrorCode) => {
      writer.abort(new HttpError(code));
      contents.hostDrop();
      settle({ tag: 'err', val: code });
    };
    writer.onDrain = () => {
      if (writer.permit() === NO_MORE && !writer.done) fail({ tag: 'connection-terminated' });
      else contents.drained();
    };
    let contentsEnded = false;
    let trailers: Trailers | null = null;
    const finish = () => {
      if (!contentsEnded || !trailers || writer.done) return;
      if (trailers.tag === 'err') fail(trailers.val);
      else {
        const failed = writer.end(trailers.val && toTrailers(trailers.val.toHeaders()));
        settle(failed ? { tag: 'err', val: failed } : OK);
      }
    };
    contents.attach({
      write: (chunk) => {
        const failed = writer.write(chunk as Uint8Array);
        if (failed) queueMicrotask(() => fail(failed));
        return writer.permit() !== 0;
      },
      end: (dropped) => {
        contentsEnded = true;
        if (dropped) fail({ tag: 'HTTP-response-incomplete' });
        else finish();
      },
    });
    this.trailers.attach({
      value: (value) => {
        trailers = value as Trailers;
        finish();
      },
      end: () => {
        trailers = OK;
        finish();
      },
    });
    this.onGuestEnd = () => {
      if (!this.trailers.isHostSource) trailers ??= OK;
      if (contentsEnded || contents.isHostSource) finish();
      else if (!writer.done) fail({ tag: 'HTTP-response-incomplete' });
    };
  }
}

/** A body that a peer sends. */
export class WireBody implements Body03 {
  readonly present = true;

  constructor(private readonly source: ByteSource) {}

  consume(result: Pipe): [Pipe, Pipe] {
    result.attach({ value: () => undefined });
    const { source } = this;
    const trailers = hostFuture();
    const contents = hostStream({
      pull: (_pipe, max) => {
        try {
          const chunk = source.read(max);
          if (chunk !== EOF) return chunk;
          const fields = source.trailers();
          trailers.resolve({ tag: 'ok', val: fields ? Fields.fromWire(fields) : undefined });
        } catch (error) {
          trailers.resolve({ tag: 'err', val: errorCodeOf(error) });
        }
        return PIPE_EOF;
      },
      cancel: () => {
        source.cancel();
        trailers.resolve(OK);
      },
    });
    source.onReadable = () => contents.more();
    return [contents, trailers];
  }

  drop(): void {
    this.source.cancel();
  }

  /** It comes from a peer, and goes on coming. */
  guestEnded(): void {}

  sendTo(writer: BodyWriter): void {
    const { source } = this;
    const pump = () => {
      try {
        while (writer.permit() > 0) {
          const chunk = source.read(PUMP_BYTES);
          if (chunk === null) return;
          if (chunk === EOF) {
            writer.end(passedTrailers(source));
            return;
          }
          writer.write(chunk);
        }
      } catch (error) {
        writer.abort(error as Error);
      }
      if (writer.permit() === NO_MORE) source.cancel();
    };
    source.onReadable = pump;
    writer.onDrain = pump;
    pump();
  }
}

const PUMP_BYTES = 64 * 1024;

function passedTrailers(source: ByteSource): Headers | undefined {
  const trailers = source.trailers();
  return trailers ? toTrailers(trailers) : undefined;
}

/** `request` of wasi:http/types@0.3. */
export class Request03 {
  readonly control: RequestControl;

  /** @param memory the account of the guest that makes it; null: it came from outside */
  constructor(private fields: Fields | (() => Fields), readonly body: Body03, readonly options: RequestOptions | undefined, memory: HostMemory | null) {
    this.control = new RequestControl(memory);
  }

  /** Those of an incoming request are made at the first look. */
  get headers(): Fields {
    return this.fields instanceof Fields ? this.fields : (this.fields = this.fields());
  }

  /** Sent, or not wanted any more; its body goes its own way. */
  drop(): void {
    if (this.fields instanceof Fields) this.fields.drop();
    this.control.drop();
  }
}

/** `response` of wasi:http/types@0.3. */
export class Response03 {
  constructor(readonly headers: Fields, readonly body: Body03, public status = 200) {}

  setStatus(status: number): Err | undefined {
    if (status < 100 || status > 999) return REFUSED;
    this.status = status;
    return undefined;
  }
}
