/** What a guest did wrong, or has no room for: the interface's errors are texts, and this is one. */
export class BlobError extends Error {
  override name = 'BlobError';
}
