import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';

/** Below this, a way through the thread pool and back costs more than the bytes do. */
const SMALL_BYTES = 256 * 1024;

const readAsync = promisify(read);

/**
 * All bytes of a file that is never changed, for a request that waits for them: small ones at once, large ones in one read on another
 * thread (`fs.promises.readFile` comes back to this one for each 512 KiB). Throws as `fs` does.
 */
export async function readBlob(path: string): Promise<Buffer> {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.allocUnsafeSlow(size);
    for (let at = 0; at < size;) {
      const count = size <= SMALL_BYTES ? readSync(file, bytes, at, size - at, at) : (await readAsync(file, bytes, at, size - at, at)).bytesRead;
      if (count === 0) return bytes.subarray(0, at);
      at += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}
