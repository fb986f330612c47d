import { once } from 'node:events';
import type { Request, Response } from 'express';

/** Proxies close a connection that is silent for a minute. */
const KEEP_ALIVE_MS = 15_000;

export interface ServerSentEvent {
  /** The client sends the last one back as Last-Event-ID when it reconnects. */
  id?: string;
  event?: string;
  /** Sent as JSON, in one line. */
  data: unknown;
}

/**
 * Answers with server-sent events (WHATWG HTML §9.2) until the source ends, the client goes or the signal aborts. The source is given a
 * signal that aborts in either case; it is not asked for more than the client takes.
 */
export async function sendEvents(response: Response, source: (signal: AbortSignal) => AsyncIterable<ServerSentEvent>, signal: AbortSignal): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const ended = AbortSignal.any([signal, gone.signal]);
  response.status(200).set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
  response.flushHeaders();
  const keepAlive = setInterval(() => response.write(': keep-alive\n\n'), KEEP_ALIVE_MS);
  try {
    for await (const event of source(ended)) {
      if (ended.aborted) break;
      if (!response.write(format(event))) await once(response, 'drain', { signal: ended }).catch(() => {});
    }
  } finally {
    clearInterval(keepAlive);
    response.end();
  }
}

/** Where to go on after a reconnection; undefined when the client starts anew. */
export function lastEventId(request: Request): string | undefined {
  return request.get('last-event-id') || undefined;
}

function format({ id, event, data }: ServerSentEvent): string {
  return `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}
