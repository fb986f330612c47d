/** Chunks joined to parts of one size, the last one smaller. */
export async function* inParts(content: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Buffer> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (let chunk of content) {
    while (bytes + chunk.length >= partBytes) {
      yield Buffer.concat([...chunks, chunk.subarray(0, partBytes - bytes)]);
      chunk = chunk.subarray(partBytes - bytes);
      chunks = [];
      bytes = 0;
    }
    if (chunk.length > 0) chunks.push(chunk);
    bytes += chunk.length;
  }
  if (bytes > 0) yield Buffer.concat(chunks);
}

/** Gets the next item while whoever asked is busy with the one before. */
export async function* readAhead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    for (let next = source.next(); ; ) {
      const { done, value } = await next;
      if (done) return;
      next = source.next();
      // It is told when it is asked for.
      next.catch(() => {});
      yield value;
    }
  } finally {
    await source.return(undefined);
  }
}

export const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

export async function missingAsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (codeOf(error) === 'NoSuchKey' || codeOf(error) === 'NotFound') return undefined;
    throw error;
  }
}
