import type { Hash } from 'node:crypto';

export interface Part {
  content: AsyncIterable<Uint8Array>;
  /** Settles when all of it was read; then `bytes` says how much that was. */
  readToEnd: Promise<void>;
  bytes(): number;
}

/**
 * Cuts a stream into parts of at most `partBytes`, none of them empty; to be asked for the next one when the one before has been read to its
 * end. A stream that fails ends there: `failure` says why. Every byte that is passed on goes into the hash.
 */
export class PartCutter {
  failure: unknown;
  private readonly source: AsyncIterator<Uint8Array>;
  /** Came, and is not passed on yet. */
  private rest: Uint8Array | undefined;

  constructor(content: AsyncIterable<Uint8Array>, private readonly partBytes: number, private readonly hash: Hash | undefined) {
    this.source = content[Symbol.asyncIterator]();
  }

  async next(): Promise<Part | undefined> {
    await this.fill();
    if (!this.rest) return undefined;
    const { promise: readToEnd, resolve } = Promise.withResolvers<void>();
    let bytes = 0;
    const passOn = this.passOn.bind(this);
    return {
      content: (async function* () {
        for await (const chunk of passOn()) {
          bytes += chunk.length;
          yield chunk;
        }
        resolve();
      })(),
      readToEnd,
      bytes: () => bytes,
    };
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    await this.source.return?.();
  }

  private async *passOn(): AsyncGenerator<Uint8Array> {
    for (let left = this.partBytes; left > 0; ) {
      await this.fill();
      if (!this.rest) return;
      const chunk = this.rest.subarray(0, left);
      this.rest = chunk.length < this.rest.length ? this.rest.subarray(chunk.length) : undefined;
      left -= chunk.length;
      this.hash?.update(chunk);
      yield chunk;
    }
  }

  private async fill(): Promise<void> {
    while (!this.rest && this.failure === undefined) {
      try {
        const { done, value } = await this.source.next();
        if (done) return;
        if (value.length > 0) this.rest = value;
      } catch (error) {
        this.failure = error;
      }
    }
  }
}
