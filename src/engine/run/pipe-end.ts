import type { CallContext, PipeType } from '#engine/run/abi/codec.js';
import { MAX_BYTES, trap } from '#engine/run/abi/layout.js';
import type { HandleKind } from './handle-table.js';
import { CANCELLED, COMPLETED, DROPPED, type Copy, type Pipe } from './pipe.js';
import { EVENT_FUTURE_READ, EVENT_FUTURE_WRITE, EVENT_STREAM_READ, EVENT_STREAM_WRITE, type Task, Waitable, type Waker } from './task.js';

/** The four kinds of ends; `code` is the event that they have. */
export interface EndKind extends HandleKind {
  readonly code: number;
  readonly reads: boolean;
  readonly future: boolean;
}

export const READABLE_STREAM: EndKind = { name: 'readable stream end', code: EVENT_STREAM_READ, reads: true, future: false };
export const WRITABLE_STREAM: EndKind = { name: 'writable stream end', code: EVENT_STREAM_WRITE, reads: false, future: false };
export const READABLE_FUTURE: EndKind = { name: 'readable future end', code: EVENT_FUTURE_READ, reads: true, future: true };
export const WRITABLE_FUTURE: EndKind = { name: 'writable future end', code: EVENT_FUTURE_WRITE, reads: false, future: true };

export function readableKind(type: PipeType): EndKind {
  return type.future ? READABLE_FUTURE : READABLE_STREAM;
}

/** What ends need of their slot: it wakes and runs tasks, and its generation grows at each reset. */
export interface EndHome extends Waker {
  readonly generation: number;
  readonly current: Task | null;
  inside<T>(task: Task, fn: () => T): T;
  guarded(fn: () => void): void;
}

type CopyState = 'idle' | 'copying' | 'cancelling' | 'done';

/** A guest's end of a pipe (CanonicalABI.md "Stream State": CopyEnd). */
export class PipeEnd extends Waitable implements Copy {
  readonly eventCode: number;
  readonly reads: boolean;
  state: CopyState = 'idle';
  cx!: CallContext;
  ptr = 0;
  length = 0;
  progress = 0;
  private result = 0;
  /** That began the copy. */
  private task: Task | null = null;
  private readonly generation: number;

  constructor(readonly pipe: Pipe, readonly kind: EndKind, readonly type: PipeType, readonly owner: object, private readonly home: EndHome) {
    super(home);
    this.eventCode = kind.code;
    this.reads = kind.reads;
    this.generation = home.generation;
  }

  get stale(): boolean {
    return this.generation !== this.home.generation;
  }

  get isCopying(): boolean {
    return this.state === 'copying' || this.state === 'cancelling';
  }

  /** Begins a read or write of `length` elements at `ptr`; the outcome may be there at once (`pending`). */
  start(cx: CallContext, ptr: number, length: number): void {
    if (this.state !== 'idle') trap(`a ${this.kind.name} is busy or done`);
    const { element } = this.type;
    let count = length;
    if (count > MAX_BYTES) {
      if (element) trap('a stream buffer is too long');
      // streams without elements are read with huge lengths
      count = MAX_BYTES;
    }
    cx.begin();
    if (element && count > 0) cx.check(ptr, count * element.size, element.align);
    this.cx = cx;
    this.ptr = ptr;
    this.length = count;
    this.progress = 0;
    this.task = this.home.current;
    this.state = 'copying';
    if (this.reads) this.pipe.read(this);
    else this.pipe.write(this);
  }

  complete(result: number): void {
    this.result = result;
    this.signal();
  }

  asItsTask(fn: () => void): void {
    this.home.guarded(() => this.home.inside(this.task!, fn));
  }

  takeEvent(): number {
    this.pending = false;
    if (this.pipe.waiting === this) this.pipe.waiting = null;
    if (this.kind.future) {
      this.state = this.result === CANCELLED ? 'idle' : 'done';
      return this.result;
    }
    this.state = this.result === DROPPED ? 'done' : 'idle';
    return this.result | (this.progress << 4);
  }

  /** Never waits: hosts give up a copy at once. */
  cancel(): number {
    if (this.state !== 'copying' || this.syncWaiter) trap(`there is no copy to cancel on the ${this.kind.name}`);
    this.state = 'cancelling';
    if (!this.pending) this.pipe.cancel(this);
    // a stream copy that got somewhere is reported as cancelled after so many elements (test/async/cancel-stream.wast)
    else if (!this.kind.future && this.result === COMPLETED) this.result = CANCELLED;
    return this.takeEvent();
  }

  drop(): void {
    if (this.isCopying) trap(`a ${this.kind.name} was dropped during a copy`);
    if (this.kind === WRITABLE_FUTURE && this.state !== 'done') trap('a future was dropped without a value');
    this.join(null);
    this.pipe.close(this.reads, false);
  }

  /** The instance goes away without having closed it. */
  abandon(): void {
    this.pipe.close(this.reads, true);
  }
}
