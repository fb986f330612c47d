import type { LogRecord } from '#contract/journal.js';
import type { Meter, MeterSource } from '#runtime/meter/meter.js';
import { LineCutter } from './line-cutter.js';

/** Each line costs more than its bytes: an invocation keeps so many of them at most. */
const MAX_LINES = 1_000;

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

  /** @param maxBytes what is kept of the output; the rest is counted and dropped */
  constructor(private readonly meter: Meter, private readonly source: MeterSource, private readonly requestId: string, private readonly maxBytes: number, hold: boolean) {
    if (hold) this.held = [];
  }

  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    if (this.lines >= MAX_LINES || this.bytes >= this.maxBytes) {
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

  /** Whether something of the output was dropped. */
  end(): boolean {
    this.cutters.stdout?.end();
    this.cutters.stderr?.end();
    const cut = this.dropped > 0;
    if (cut) this.note(`COMPONENT_LOG_LIMIT: ${this.dropped} bytes of output were dropped: one invocation may log ${MAX_LINES} lines and ${this.maxBytes} bytes`);
    this.release();
    return cut;
  }

  private take(stream: 'stdout' | 'stderr', line: string): void {
    if (this.lines >= MAX_LINES || this.bytes >= this.maxBytes) {
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
