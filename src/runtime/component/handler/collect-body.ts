import { EOF, type ByteSource } from '#runtime/capability/guest.js';

const CHUNK_BYTES = 64 * 1024;

/**
 * Reads a body to its end. `done` gets the bytes, or an Error when the body broke, or null when it is longer than `maxBytes` (the rest
 * is dropped then).
 */
export function collectBody(source: ByteSource, maxBytes: number, done: (body: Uint8Array | Error | null) => void): void {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const step = () => {
    try {
      for (;;) {
        const chunk = source.read(CHUNK_BYTES);
        if (chunk === null) return;
        if (chunk === EOF) break;
        bytes += chunk.length;
        if (bytes > maxBytes) {
          source.onReadable = null;
          source.cancel();
          return done(null);
        }
        chunks.push(chunk);
      }
    } catch (error) {
      source.onReadable = null;
      return done(error as Error);
    }
    source.onReadable = null;
    done(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  };
  source.onReadable = step;
  step();
}
