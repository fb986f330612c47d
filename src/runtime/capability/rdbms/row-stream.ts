import { EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import type { HostMemory } from '../host-memory.js';

/** Kept for a guest that reads slowly before the server is held up. */
const HIGH_WATER_BYTES = 256 * 1024;

const OK = { tag: 'ok', val: undefined };

/** What a stream of rows does to the session that they come from. */
export interface RowFlow {
  pause(): void;
  resume(): void;
  /** The guest wants no more rows. */
  cancel(): void;
}

/** Rows on their way from a server to a guest that reads them one by one, and the future that says how it ended. */
export class RowStream {
  readonly rows: Pipe;
  readonly result: Pipe = hostFuture();
  private readonly queue: { row: unknown; bytes: number }[] = [];
  private queuedBytes = 0;
  private isPaused = false;
  private isOver = false;
  private isTelling = false;

  constructor(private readonly flow: RowFlow, private readonly memory: HostMemory) {
    this.rows = hostStream({ pull: (_pipe, max) => this.pull(max), cancel: () => this.cancel() });
  }

  push(row: unknown, bytes: number): void {
    if (this.isOver) return;
    this.queue.push({ row, bytes });
    this.keep(bytes);
    if (!this.isPaused && this.queuedBytes >= HIGH_WATER_BYTES) {
      this.isPaused = true;
      this.flow.pause();
    }
    this.tell();
  }

  /** @param error of the interface, null: all rows were given */
  end(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.result.resolve(error === null ? OK : { tag: 'err', val: error });
    this.tell();
  }

  /** Nobody reads any more: the guest closed the stream, or its invocation is over. */
  cancel(): void {
    const wasOver = this.isOver;
    this.isOver = true;
    this.queue.length = 0;
    this.keep(-this.queuedBytes);
    this.resume();
    if (wasOver) return;
    this.result.resolve(OK);
    this.flow.cancel();
  }

  private pull(max: number): unknown[] | null | typeof EOF {
    const taken = this.queue.splice(0, max);
    if (taken.length === 0) return this.isOver ? EOF : null;
    this.keep(-taken.reduce((sum, { bytes }) => sum + bytes, 0));
    if (this.queuedBytes < HIGH_WATER_BYTES / 2) this.resume();
    return taken.map(({ row }) => row);
  }

  private resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.flow.resume();
  }

  private keep(bytes: number): void {
    this.queuedBytes += bytes;
    this.memory.add(bytes);
  }

  /** Once for all rows that came in one piece. */
  private tell(): void {
    if (this.isTelling) return;
    this.isTelling = true;
    queueMicrotask(() => {
      this.isTelling = false;
      this.rows.more();
    });
  }
}
