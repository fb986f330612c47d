import type { Response } from 'express';
import { WhorlError } from '#contract/errors.js';
import type { ApiRequest } from './api-request.js';

/** A refused upload is read to its end for this long, so that its client sees the answer and not a broken connection. */
const LINGER_MS = 10_000;

export interface Upload {
  /** The bytes as they come in: never more in memory than the reader leaves unread. */
  body: AsyncIterable<Uint8Array>;
  /** Aborts when the client goes before the body is complete. */
  signal: AbortSignal;
}

/** Opens a request's body as a stream. Throws API_MEDIA_TYPE_UNSUPPORTED unless it is of one of the types, when they are given. */
export function openUpload(request: ApiRequest, response: Response, contentTypes?: readonly string[]): Upload {
  if (contentTypes && !request.is([...contentTypes])) {
    const given = request.get('content-type') ?? 'a body without Content-Type';
    throw new WhorlError('API_MEDIA_TYPE_UNSUPPORTED', `this takes ${contentTypes.join(', ')}, not ${given}: curl -H 'content-type: ${contentTypes[0]}' --data-binary @FILE`);
  }
  const gone = new AbortController();
  request.on('close', () => {
    if (!request.complete) gone.abort();
  });
  response.on('finish', () => {
    if (request.complete) return;
    // Node does so by itself for a body that nobody has begun to read.
    request.resume();
    setTimeout(() => request.complete || request.socket.destroy(), LINGER_MS).unref();
  });
  // A reader that gives up must not destroy the request: its connection carries the refusal.
  return { body: request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>, signal: gone.signal };
}
