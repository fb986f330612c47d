import { WhorlError } from '#contract/errors.js';

/** Passes on what must be so many bytes. Throws REGISTRY_UPLOAD_LENGTH, as soon as it is known. */
export async function* exactly(bytes: number, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let seen = 0;
  for await (const chunk of content) {
    seen += chunk.length;
    if (seen > bytes) break;
    yield chunk;
  }
  if (seen !== bytes) throw new WhorlError('REGISTRY_UPLOAD_LENGTH', `Content-Range says ${bytes} bytes, ${seen > bytes ? 'more came' : `${seen} came`}`);
}
