export interface StreamEvent {
  id: string;
  data: Record<string, unknown>;
}

/** Reads server-sent events as an EventSource does. */
export class EventStream {
  readonly events: StreamEvent[] = [];
  private constructor(
    readonly contentType: string | null,
    private readonly abort: AbortController,
    private reading: Promise<void>,
  ) {}

  static async open(url: string, token: string, lastEventId?: string): Promise<EventStream> {
    const abort = new AbortController();
    const headers = { authorization: `Bearer ${token}`, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) };
    const response = await fetch(url, { headers, signal: abort.signal });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    const stream = new EventStream(response.headers.get('content-type'), abort, Promise.resolve());
    stream.reading = stream.read(response.body!);
    return stream;
  }

  async close(): Promise<void> {
    this.abort.abort();
    await this.reading;
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    let buffered = '';
    try {
      for await (const chunk of body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>)) {
        const blocks = (buffered + chunk).split('\n\n');
        buffered = blocks.pop()!;
        for (const block of blocks) this.take(block);
      }
    } catch (error) {
      if (!this.abort.signal.aborted) throw error;
    }
  }

  private take(block: string): void {
    const fields = new Map(block.split('\n').filter((text) => !text.startsWith(':')).map((text) => [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 2)]));
    const data = fields.get('data');
    if (data !== undefined) this.events.push({ id: fields.get('id') ?? '', data: JSON.parse(data) as Record<string, unknown> });
  }
}
