import { WhorlError } from '#contract/errors.js';
import type { ApiRequest } from './api-request.js';

/** The whole of a body that is not JSON. Throws API_BODY_TOO_LARGE when it is over `maxBytes`; it is read to its end all the same, so that the client sees the answer. */
export async function readBody(request: ApiRequest, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
  }
  if (bytes > maxBytes) throw new WhorlError('API_BODY_TOO_LARGE', `this takes at most ${maxBytes} bytes`);
  return Buffer.concat(chunks);
}
