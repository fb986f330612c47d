/** Reads an exact number of bytes at a time from chunks of any size, holding no more than what is asked for and one chunk. */
export class ByteSource {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private rest: Uint8Array = new Uint8Array(0);
  /** Bytes handed out so far. */
  offset = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.chunks = source[Symbol.asyncIterator]();
  }

  /** The next bytes, at most `maxBytes` of them; undefined at the end. */
  async some(maxBytes: number): Promise<Uint8Array | undefined> {
    while (this.rest.length === 0) {
      const next = await this.chunks.next();
      if (next.done) return undefined;
      this.rest = next.value;
    }
    const taken = this.rest.subarray(0, maxBytes);
    this.rest = this.rest.subarray(taken.length);
    this.offset += taken.length;
    return taken;
  }

  /** Exactly `bytes` of them, or fewer when the source ends before. */
  async exactly(bytes: number): Promise<Uint8Array> {
    const first = await this.some(bytes);
    if (!first || first.length === bytes) return first ?? new Uint8Array(0);
    const parts = [first];
    for (let missing = bytes - first.length; missing > 0; missing -= parts.at(-1)!.length) {
      const part = await this.some(missing);
      if (!part) break;
      parts.push(part);
    }
    return Buffer.concat(parts);
  }
}
