/** So many are kept for the next object; more are made when more are sent at a time. */
const KEPT_BUFFERS = 4;

/** Buffers of one size that are used again: each new one would be garbage of many megabytes a moment later. */
export class PartBuffers {
  private readonly free: Buffer[] = [];

  constructor(readonly partBytes: number) {}

  take(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(this.partBytes);
  }

  /** For a part, or its beginning, that nobody reads any more. What lies in no such buffer is left alone. */
  giveBack(part: Buffer): void {
    if (part.buffer.byteLength === this.partBytes && this.free.length < KEPT_BUFFERS) this.free.push(Buffer.from(part.buffer));
  }
}

/** Most blobs are smaller, and need no buffer for a whole part. */
const SMALL_BYTES = 256 * 1024;

/** Chunks joined to parts of the size of the buffers, in these; the last one smaller. */
export async function* inParts(content: AsyncIterable<Uint8Array>, buffers: PartBuffers): AsyncGenerator<Buffer> {
  let part = new GrowingPart(buffers);
  for await (const chunk of content) {
    for (let rest = part.add(chunk); rest; rest = part.add(rest)) {
      yield part.content;
      part = new GrowingPart(buffers);
    }
  }
  if (part.content.length > 0) yield part.content;
}

class GrowingPart {
  private small: Uint8Array[] = [];
  private buffer: Buffer | undefined;
  private bytes = 0;

  constructor(private readonly buffers: PartBuffers) {}

  get content(): Buffer {
    return this.buffer?.subarray(0, this.bytes) ?? Buffer.concat(this.small);
  }

  /** What has no room in it; undefined when all has, even if it is full. */
  add(chunk: Uint8Array): Uint8Array | undefined {
    const fits = chunk.subarray(0, this.buffers.partBytes - this.bytes);
    if (!this.buffer && this.bytes + fits.length > SMALL_BYTES) this.grow();
    if (this.buffer) this.buffer.set(fits, this.bytes);
    else this.small.push(fits);
    this.bytes += fits.length;
    return fits.length < chunk.length ? chunk.subarray(fits.length) : undefined;
  }

  private grow(): void {
    this.buffer = this.buffers.take();
    let at = 0;
    for (const chunk of this.small) {
      this.buffer.set(chunk, at);
      at += chunk.length;
    }
    this.small = [];
  }
}

export const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

export async function missingAsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (codeOf(error) === 'NoSuchKey' || codeOf(error) === 'NotFound') return undefined;
    throw error;
  }
}
