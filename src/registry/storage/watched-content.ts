/** Content that remembers what it threw: that is the sender's fault, and not the store's. */
export class WatchedContent implements AsyncIterable<Uint8Array> {
  failure: unknown;

  constructor(private readonly content: AsyncIterable<Uint8Array>) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      yield* this.content;
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}
