import type { CallContext, PipeType } from '#engine/run/abi/codec.js';
import { trap } from '#engine/run/abi/layout.js';

/** What a source gives when nothing will come any more. */
export const EOF = Symbol('end of stream');

/** Outcome of a copy, as guests see it (CanonicalABI.md "Stream State": CopyResult). */
export const COMPLETED = 0;
export const DROPPED = 1;
export const CANCELLED = 2;

export type Chunk = Uint8Array | unknown[];

/** Where a stream from the host gets its elements: bytes for stream<u8>, else an array of values. */
export interface StreamSource {
  /** At most `max` elements; null: none now, the host calls `pipe.more()` when that changes; EOF: ended. */
  pull(pipe: Pipe, max: number): Chunk | null | typeof EOF;
  /** The reader closed its end, or its instance went away. Not called after EOF. */
  cancel?(): void;
}

export interface StreamSink {
  /** Takes the chunk (a copy of its own) in any case; false: the host calls `pipe.drained()` when it can take more. */
  write(chunk: Chunk): boolean;
  /** Once, after the last write. `dropped` false: the writer closed the stream; true: cut off, its instance trapped, was killed or reset. */
  end(dropped: boolean): void;
}

export interface FutureSink {
  value(value: unknown): void;
  /** Instead of `value`: the other side went away without one. */
  end?(): void;
}

/** One end of a pipe in a guest: a read or write that is under way. Implemented by pipe-end.ts. */
export interface Copy {
  readonly reads: boolean;
  readonly cx: CallContext;
  /** Identity of the component instance. */
  readonly owner: object;
  readonly ptr: number;
  readonly length: number;
  progress: number;
  /** Its slot was reset: its memory must never be touched. */
  readonly stale: boolean;
  /** Its outcome is known and not yet delivered. */
  readonly pending: boolean;
  complete(result: number): void;
  /** Runs what may call the guest, on the account of the task that began the copy; errors end its slot. */
  asItsTask(fn: () => void): void;
}

/**
 * A stream or a future: what both ends share. Each end is held by a guest (a handle) or by the host. The host gives elements by a
 * source (`hostStream`, `hostFuture`) and takes them by a sink (`attach`). No promise and no object is made for each chunk.
 */
export class Pipe {
  /** Bound when the pipe is lowered into a guest: hosts do not name types. */
  type: PipeType | null = null;
  /** The copy that waits for the other side. */
  waiting: Copy | null = null;
  private closed = false;
  private ended = false;
  private sink: StreamSink | null = null;
  private futureSink: FutureSink | null = null;
  /** A guest's write that the sink has taken but not yet digested: its completion is the backpressure. */
  private held: Copy | null = null;
  private full = false;

  constructor(readonly future: boolean, private readonly source: StreamSource | null, private readonly promised: HostValue | null) {}

  get isHostSource(): boolean {
    return this.source !== null || this.promised !== null;
  }

  private get element(): PipeType['element'] {
    return this.type?.element ?? null;
  }

  // ---- the host's side

  /** The host is the reader. For a future the sink takes the value. */
  attach(sink: StreamSink | FutureSink): void {
    if (this.future) this.futureSink = sink as FutureSink;
    else this.sink = sink as StreamSink;
    if (this.isHostSource) {
      this.passThrough();
      return;
    }
    const copy = this.waiting;
    if (copy && !copy.stale) {
      this.waiting = null;
      this.take(copy);
    }
    if (this.closed) this.endSink(false);
  }

  /** The source has elements again, or reached its end. */
  more(): void {
    if (this.sink || this.futureSink) {
      this.passThrough();
      return;
    }
    const copy = this.waiting;
    if (!copy || copy.pending || copy.stale) return;
    // bytes are put into memory; other values may need the guest's realloc, and it is not the guest that called
    if (this.type?.bytes) this.give(copy);
    else copy.asItsTask(() => this.give(copy));
  }

  /** The sink can take more. */
  drained(): void {
    if (this.source) {
      this.full = false;
      this.passThrough();
      return;
    }
    const copy = this.held;
    this.held = null;
    if (copy && !copy.stale && !copy.pending) copy.complete(COMPLETED);
  }

  /** The value of a host's future. */
  resolve(value: unknown): void {
    if (!this.promised) throw new Error('only a future of the host can be resolved');
    if (this.promised.known) return;
    this.promised.known = true;
    this.promised.value = value;
    this.more();
  }

  /** The host no longer reads: the writer sees a closed stream. */
  hostDrop(): void {
    if (this.closed) return;
    this.closed = true;
    this.ended = true;
    this.sink = null;
    this.futureSink = null;
    if (this.isHostSource) {
      this.source?.cancel?.();
      return;
    }
    const copy = this.held ?? this.waiting;
    this.held = null;
    this.waiting = null;
    if (copy && !copy.pending && !copy.stale) copy.complete(DROPPED);
  }

  // ---- a guest's side, called by pipe-end.ts with a checked copy

  read(copy: Copy): void {
    if (this.isHostSource) {
      this.waiting = copy;
      this.give(copy);
      return;
    }
    this.meet(copy);
  }

  write(copy: Copy): void {
    if (this.closed) copy.complete(DROPPED);
    else if (this.sink || this.futureSink) this.take(copy);
    else this.meet(copy);
  }

  /** The other guest end is not needed any more; `dropped`: not closed by the guest, its instance went away. */
  close(byReader: boolean, dropped: boolean): void {
    if (this.closed) return;
    this.closed = true;
    if (this.isHostSource) {
      if (byReader && !this.ended) this.source?.cancel?.();
      return;
    }
    if (this.sink || this.futureSink) {
      if (!byReader) this.endSink(dropped);
      return;
    }
    const copy = this.waiting;
    this.waiting = null;
    if (copy && !copy.stale) copy.complete(DROPPED);
  }

  /** Takes back a copy that has not happened yet. */
  cancel(copy: Copy): void {
    if (this.waiting === copy) this.waiting = null;
    if (this.held === copy) {
      // the sink already has the elements: they are not taken back
      this.held = null;
      copy.complete(COMPLETED);
    } else copy.complete(CANCELLED);
  }

  // ---- guest to guest (SharedStreamImpl, SharedFutureImpl)

  private meet(copy: Copy): void {
    if (this.closed) {
      copy.complete(DROPPED);
      return;
    }
    const other = this.waiting;
    if (!other) {
      this.waiting = copy;
      return;
    }
    if (other.owner === copy.owner && this.type && !this.type.plain) trap('a stream of such values cannot be read and written by one instance');
    const left = other.length - other.progress;
    if (left > 0) {
      if (copy.length > 0) this.move(copy.reads ? other : copy, copy.reads ? copy : other, other);
      copy.complete(COMPLETED);
      if (this.future) this.waiting = null;
    } else if (!copy.reads && copy.length === 0 && other.length === 0) {
      copy.complete(COMPLETED);
    } else {
      this.waiting = null;
      other.complete(COMPLETED);
      this.waiting = copy;
    }
  }

  private move(from: Copy, to: Copy, first: Copy): void {
    const count = Math.min(from.length - from.progress, to.length - to.progress);
    const { element } = this;
    from.cx.begin();
    to.cx.begin();
    if (element && this.type?.plain) {
      const { size } = element;
      const start = from.ptr + from.progress * size;
      to.cx.mark(to.ptr + to.progress * size, count * size);
      to.cx.bytes.set(from.cx.bytes.subarray(start, start + count * size), to.ptr + to.progress * size);
      from.progress += count;
      to.progress += count;
    } else {
      this.storeValues(to, this.loadValues(from, count));
    }
    // the one that came first may get more until its event is delivered
    first.complete(COMPLETED);
  }

  private loadValues(from: Copy, count: number): unknown[] {
    const { element } = this;
    // without a type nothing is behind the number, which may be large: no memory is taken for it
    const values: unknown[] = [];
    if (element) {
      from.cx.spend(count * VALUE_BYTES);
      for (let i = 0; i < count; i++) values.push(element.load(from.cx, from.ptr + (from.progress + i) * element.size));
    } else values.length = count;
    from.progress += count;
    return values;
  }

  private storeValues(to: Copy, values: readonly unknown[]): void {
    const { element } = this;
    if (element) to.cx.mark(to.ptr + to.progress * element.size, values.length * element.size);
    if (element) values.forEach((value, i) => element.store(to.cx, to.ptr + (to.progress + i) * element.size, value));
    to.progress += values.length;
  }

  // ---- host to guest

  private give(copy: Copy): void {
    if (this.promised) {
      if (!this.promised.known) return;
      this.waiting = null;
      copy.cx.begin();
      this.storeValues(copy, [this.promised.value]);
      copy.complete(COMPLETED);
      return;
    }
    while (copy.progress < copy.length) {
      const chunk = this.source!.pull(this, copy.length - copy.progress);
      if (chunk === null || (chunk !== EOF && chunk.length === 0)) break;
      if (chunk === EOF) {
        this.ended = true;
        this.waiting = null;
        copy.complete(DROPPED);
        return;
      }
      if (chunk.length > copy.length - copy.progress) throw new RangeError('a source gave more than it was asked for');
      this.put(copy, chunk);
    }
    if (copy.progress > 0 || copy.length === 0) {
      this.waiting = null;
      copy.complete(COMPLETED);
    }
  }

  private put(copy: Copy, chunk: Chunk): void {
    copy.cx.begin();
    if (this.type?.bytes) {
      copy.cx.mark(copy.ptr + copy.progress, chunk.length);
      copy.cx.bytes.set(chunk as Uint8Array, copy.ptr + copy.progress);
      copy.progress += chunk.length;
    } else this.storeValues(copy, chunk as unknown[]);
  }

  // ---- guest to host

  private take(copy: Copy): void {
    copy.cx.begin();
    if (this.futureSink) {
      const [value] = this.loadValues(copy, 1);
      this.ended = true;
      copy.complete(COMPLETED);
      this.futureSink.value(value);
      return;
    }
    const count = copy.length - copy.progress;
    let ready = true;
    if (count > 0) {
      const chunk = this.copyOut(copy, count);
      ready = this.sink!.write(chunk);
    }
    if (ready) copy.complete(COMPLETED);
    else this.held = copy;
  }

  private copyOut(copy: Copy, count: number): Chunk {
    if (!this.type?.bytes) return this.loadValues(copy, count);
    const start = copy.ptr + copy.progress;
    copy.progress += count;
    return Buffer.from(copy.cx.bytes.subarray(start, start + count));
  }

  private endSink(dropped: boolean): void {
    if (this.ended) return;
    this.ended = true;
    this.held = null;
    this.futureSink?.end?.();
    this.sink?.end(dropped);
  }

  // ---- host to host: a guest handed a host's stream straight on; no guest memory is touched

  private passThrough(): void {
    if (this.promised) {
      if (!this.promised.known || !this.futureSink || this.ended) return;
      this.ended = true;
      this.futureSink.value(this.promised.value);
      return;
    }
    while (this.sink && !this.full && !this.ended) {
      const chunk = this.source!.pull(this, PASS_THROUGH_MAX);
      if (chunk === null || (chunk !== EOF && chunk.length === 0)) return;
      if (chunk === EOF) {
        this.endSink(false);
        return;
      }
      this.full = this.sink.write(chunk) === false;
    }
  }
}

const PASS_THROUGH_MAX = 65536;
/** Bytes of host memory that one value in an array costs at least. */
const VALUE_BYTES = 16;

interface HostValue {
  known: boolean;
  value: unknown;
}

/** A stream for a guest to read, or to be handed back to the host. */
export function hostStream(source: StreamSource): Pipe {
  return new Pipe(false, source, null);
}

/** A future for a guest to read; without arguments its value comes later, by `pipe.resolve(value)`. */
export function hostFuture(...value: [] | [value: unknown]): Pipe {
  return new Pipe(true, null, { known: value.length > 0, value: value[0] });
}
