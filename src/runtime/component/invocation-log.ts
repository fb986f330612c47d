import type { LogRecord } from '#contract/journal.js';
import type { Meter, MeterSource } from '#runtime/meter/meter.js';
import { LineCutter } from './line-cutter.js';

/** What one invocation may log; the rest is counted and dropped. */
const MAX_LINES = 1_000;
const MAX_BYTES = 256 * 1024;

/**
 * What one invocation wrote, as log records. Lines are held back while the invocation may still be made again elsewhere, so that a
 * replay does not show them twice.
 */
export class InvocationLog {
  private lines = 0;
  private bytes = 0;
  private dropped = 0;
  private held: LogRecord[] | null = null;
  private readonly cutters: { stdout?: LineCutter; stderr?: LineCutter } = {};

  constructor(private readonly meter: Meter, private readonly source: MeterSource, private readonly requestId: string, hold: boolean) {
    if (hold) this.held = [];
  }

  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    if (this.lines >= MAX_LINES || this.bytes >= MAX_BYTES) {
      this.dropped += bytes.length;
      return;
    }
    const cutter = (this.cutters[stream] ??= new LineCutter((line) => this.take(stream, line)));
    cutter.write(bytes);
  }

  /** A line of the platform itself: never dropped for what the guest wrote. */
  note(line: string): void {
    this.put('platform', line);
  }

  /** The invocation will not be made again: its lines count. */
  release(): void {
    const held = this.held;
    this.held = null;
    if (held) for (const record of held) this.meter.log(record);
  }

  /** The invocation is made again elsewhere: what it wrote here is forgotten. */
  forget(): void {
    this.held = [];
  }

  end(): void {
    this.cutters.stdout?.end();
    this.cutters.stderr?.end();
    if (this.dropped > 0) this.note(`${this.dropped} bytes of output were dropped: one invocation may log ${MAX_LINES} lines and ${MAX_BYTES} bytes`);
    this.release();
  }

  private take(stream: 'stdout' | 'stderr', line: string): void {
    if (this.lines >= MAX_LINES || this.bytes >= MAX_BYTES) {
      this.dropped += line.length + 1;
      return;
    }
    this.lines++;
    this.bytes += line.length + 1;
    this.put(stream, line);
  }

  private put(stream: LogRecord['stream'], line: string): void {
    const record: LogRecord = { kind: 'log', at: Date.now(), ...this.source, requestId: this.requestId, stream, line };
    if (this.held) this.held.push(record);
    else this.meter.log(record);
  }
}
