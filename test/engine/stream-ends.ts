import { EOF, hostStream, type Pipe } from '#engine/run/pipe.js';

/** A host's source of text, given in the chunks that the reader asks for. */
export class ChunkSource {
  readonly pipe: Pipe;
  given = 0;
  cancelled = false;
  private rest: Buffer;

  constructor(chunks: string[], private finished: boolean) {
    this.rest = Buffer.from(chunks.join(''));
    this.pipe = hostStream({ pull: (_, max) => this.pull(max), cancel: () => { this.cancelled = true; } });
  }

  add(text: string): void {
    this.rest = Buffer.concat([this.rest, Buffer.from(text)]);
    this.pipe.more();
  }

  finish(): void {
    this.finished = true;
    this.pipe.more();
  }

  private pull(max: number): Buffer | null | typeof EOF {
    if (this.rest.length === 0) return this.finished ? EOF : null;
    const chunk = this.rest.subarray(0, max);
    this.rest = this.rest.subarray(chunk.length);
    this.given += chunk.length;
    return chunk;
  }
}

/** A host's sink that keeps what it gets; `full` makes it refuse more after each chunk until `drain`. */
export class ChunkSink {
  text = '';
  readonly sizes: number[] = [];
  /** What `end` was told, null before. */
  ended: boolean | null = null;
  full: boolean;

  constructor(private readonly pipe: Pipe, { full }: { full: boolean } = { full: false }) {
    this.full = full;
    pipe.attach({
      write: (chunk) => {
        this.text += Buffer.from(chunk as Uint8Array).toString();
        this.sizes.push(chunk.length);
        return !this.full;
      },
      end: (dropped) => {
        this.ended = dropped;
      },
    });
  }

  drain(): void {
    this.pipe.drained();
  }
}
