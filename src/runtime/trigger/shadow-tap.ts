import { EOF, type ByteSink, type ByteSource, type Headers } from '#runtime/capability/guest.js';
import type { RequestBody } from './request-body.js';
import type { ShadowCopy } from './shadow-copy.js';

/** The body of a request on its way to a guest, which is taken down as it is read. */
export class TappedSource implements ByteSource {
  constructor(private readonly inner: RequestBody, private readonly copy: ShadowCopy) {}

  get onReadable(): (() => void) | null {
    return this.inner.onReadable;
  }

  set onReadable(callback: (() => void) | null) {
    this.inner.onReadable = callback;
  }

  read(max: number): Uint8Array | null | typeof EOF {
    const chunk = this.inner.read(max);
    if (chunk === EOF) this.copy.bodyEnded();
    else if (chunk) this.copy.takeBody(chunk);
    return chunk;
  }

  cancel(): void {
    this.takeRest();
    this.inner.cancel();
  }

  trailers(): Headers | null {
    return this.inner.trailers();
  }

  /** What has come and the guest did not ask for: nobody else reads it. */
  takeRest(): void {
    if (this.copy.wantsBody && this.inner.takeRest((chunk) => this.copy.takeBody(chunk))) this.copy.bodyEnded();
  }
}

/** The answer to a request on its way to the client, which is taken down as it is written. */
export class TappedSink implements ByteSink {
  constructor(private readonly inner: ByteSink, private readonly copy: ShadowCopy) {}

  get onDrain(): (() => void) | null {
    return this.inner.onDrain;
  }

  set onDrain(callback: (() => void) | null) {
    this.inner.onDrain = callback;
  }

  get closed(): boolean {
    return this.inner.closed;
  }

  get onClose(): (() => void) | null {
    return this.inner.onClose;
  }

  set onClose(callback: (() => void) | null) {
    this.inner.onClose = callback;
  }

  write(chunk: Uint8Array): boolean {
    this.copy.takeAnswer(chunk);
    return this.inner.write(chunk);
  }

  end(trailers?: Headers): void {
    this.copy.answerEnded();
    this.inner.end(trailers);
  }

  abort(reason: Error): void {
    this.inner.abort(reason);
  }
}
