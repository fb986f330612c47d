import { createHash } from 'node:crypto';
import { WhorlError } from '#contract/errors.js';
import type { ImageBlob } from '#registry/artifact/image-source.js';
import { asImageError, fieldOf, type RegistryAnswer } from './registry-http.client.js';
import { isPassingError, retryDelayMs, type Wait } from './retry.js';

/** A download that brought this much before it broke has earned a fresh count of attempts: a long one over a bad line comes to its end. */
const PROGRESS_BYTES = 4 * 1024 * 1024;

export interface BlobOpener {
  /** Asks for the blob from a byte on: 200 with all of it, or 206. */
  open: (offset: number) => Promise<RegistryAnswer>;
  wait: Wait;
}

/**
 * The bytes of a blob, checked while they come: the last piece is only given when size and digest are right. A download that
 * breaks goes on where it broke, a bounded number of times; of an answer that has all of it again, what we have is left out. Throws REGISTRY_IMAGE_MISMATCH, REGISTRY_IMAGE_UNREACHABLE, the signal's reason.
 */
export async function* blobStream({ digest, bytes }: ImageBlob, { open, wait }: BlobOpener, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const [algorithm] = digest.split(':') as ['sha256' | 'sha512'];
  const hash = createHash(algorithm);
  let seen = 0;
  let held: Uint8Array | undefined;
  let counted = 0;
  for (let attempt = 1; ; attempt++) {
    const answer = await open(seen);
    let failure: unknown;
    try {
      let skip = seen - startOf(answer, seen);
      for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
        const chunk = piece.subarray(Math.min(skip, piece.length));
        skip -= piece.length - chunk.length;
        if (chunk.length === 0) continue;
        if (held) yield held;
        hash.update(chunk);
        seen += chunk.length;
        held = chunk;
        if (seen > bytes) throw new WhorlError('REGISTRY_IMAGE_MISMATCH', `${digest} should have ${bytes} bytes, ${answer.url.host} sends more`);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof WhorlError || !isPassingError(error)) throw asImageError(answer.url, error);
      failure = error;
    } finally {
      answer.body.destroy();
    }
    if (seen === bytes) break;
    if (seen - counted >= PROGRESS_BYTES) [attempt, counted] = [0, seen];
    const delayMs = retryDelayMs({ attempt: Math.max(attempt, 1), nowMs: Date.now(), random: Math.random() });
    if (delayMs === undefined) throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${answer.url.host} breaks off after ${seen} of the ${bytes} bytes of ${digest}, time and again`, { cause: failure });
    await wait(delayMs, signal);
  }
  const actual = `${algorithm}:${hash.digest('hex')}`;
  if (actual !== digest) throw new WhorlError('REGISTRY_IMAGE_MISMATCH', `the bytes that should be ${digest} are ${actual}`);
  if (held) yield held;
}

/** Which byte of the blob an answer begins with (RFC 9110 §14.4). */
function startOf(answer: RegistryAnswer, wanted: number): number {
  if (answer.status === 200) return 0;
  const start = Number(/^bytes (\d+)-/.exec(fieldOf(answer, 'content-range') ?? '')?.[1] ?? Number.NaN);
  if (answer.status !== 206 || Number.isNaN(start) || start > wanted) throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${answer.url.host} answers ${answer.status} when asked for a blob from byte ${wanted} on`);
  return start;
}
