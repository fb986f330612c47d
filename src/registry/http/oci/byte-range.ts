import { WhorlError } from '#contract/errors.js';
import type { ByteRange } from '#registry/storage/storage-driver.js';

/**
 * The one range of a Range header that the whole of `bytes` bytes has (RFC 9110 §14.1.2). Undefined when the header is to be ignored: other
 * units, several ranges. Throws REGISTRY_RANGE_INVALID when the blob does not have its first byte, or it ends before it begins.
 */
export function parseRange(header: string | undefined, bytes: number): Required<ByteRange> | undefined {
  const [, first, last] = /^bytes *= *(\d*) *- *(\d*) *$/i.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (start > end) throw new WhorlError('REGISTRY_RANGE_INVALID', `the blob has ${bytes} bytes: ${header!.slice(0, 100)} is not among them`);
  return { offset: start, bytes: end - start + 1 };
}

/** Content-Range of a chunk: `<first>-<last>`, both inclusive (distribution-spec, pushing a blob in chunks). Throws REGISTRY_UPLOAD_INVALID. */
export function parseChunkRange(header: string | undefined): { offset: number; bytes: number } | undefined {
  if (header === undefined) return undefined;
  // Some clients write it as RFC 9110 says for answers: `bytes 0-99/100`.
  const [, first, last] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim()) ?? [];
  if (first === undefined || last === undefined || Number(last) < Number(first)) throw new WhorlError('REGISTRY_UPLOAD_INVALID', `Content-Range: expected <first>-<last>, not ${JSON.stringify(header.slice(0, 100))}`);
  return { offset: Number(first), bytes: Number(last) - Number(first) + 1 };
}
