/** Signals, by the path of OTLP/HTTP and the list in its body. */
const SIGNALS = { traces: 'resourceSpans', metrics: 'resourceMetrics', logs: 'resourceLogs' } as const;
export type Signal = keyof typeof SIGNALS;

const FLUSH_MS = 2_000;
/** A runner that ends waits so long at most for what it still has. */
const TIMEOUT_MS = 5_000;
/** A full batch leaves at once. */
const BATCH_BYTES = 512 * 1024;
/** Held in this process for a collector that is slow or away; what does not fit is dropped, the newest first. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;

/**
 * Sends telemetry of guests to a collector, by OTLP over HTTP in JSON, in batches. It never makes anybody wait, and never keeps what the
 * collector refuses.
 */
export class OtlpExporter {
  private readonly queues: Record<Signal, string[]> = { traces: [], metrics: [], logs: [] };
  private queuedBytes = 0;
  private heldBytes = 0;
  private timer: NodeJS.Timeout | null = null;
  private lost = 0;
  private reason = '';

  /** @param endpoint its base: `/v1/traces` and the others are added */
  constructor(private readonly endpoint: string) {}

  add(signal: Signal, item: object): void {
    const text = JSON.stringify(item);
    if (this.heldBytes + text.length > MAX_HELD_BYTES) {
      this.lose(1, 'more than the collector takes');
      return;
    }
    this.queues[signal].push(text);
    this.queuedBytes += text.length;
    this.heldBytes += text.length;
    if (this.queuedBytes >= BATCH_BYTES) void this.flush();
    else this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  /** What was lost since the last call, in a sentence; null: nothing. */
  takeLosses(): string | null {
    if (this.lost === 0) return null;
    const sentence = `${this.lost} records of telemetry were not exported: ${this.reason}`;
    this.lost = 0;
    return sentence;
  }

  /** Sends what there is; resolves when the collector has answered, or has not in time. */
  async flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.queuedBytes = 0;
    await Promise.all((Object.keys(SIGNALS) as Signal[]).filter((signal) => this.queues[signal].length > 0).map((signal) => this.send(signal, this.queues[signal].splice(0))));
  }

  private async send(signal: Signal, items: string[]): Promise<void> {
    try {
      const response = await fetch(`${this.endpoint.replace(/\/+$/, '')}/v1/${signal}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"${SIGNALS[signal]}":[${items.join(',')}]}`,
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await response.body?.cancel();
      if (!response.ok) this.lose(items.length, `the collector answered ${response.status}`);
    } catch (error) {
      this.lose(items.length, `the collector could not be reached (${(error as Error).message})`);
    }
    this.heldBytes -= items.reduce((sum, item) => sum + item.length, 0);
  }

  private lose(count: number, reason: string): void {
    this.lost += count;
    this.reason = reason;
  }
}

const exporters = new Map<string, OtlpExporter>();

/** The one exporter of this process for an endpoint. */
export function exporterTo(endpoint: string): OtlpExporter {
  let exporter = exporters.get(endpoint);
  if (!exporter) exporters.set(endpoint, (exporter = new OtlpExporter(endpoint)));
  return exporter;
}

/** For a clean end of the process. */
export async function flushTelemetry(): Promise<void> {
  await Promise.all([...exporters.values()].map((exporter) => exporter.flush()));
}
