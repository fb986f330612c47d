/** Spin's cap on what a host buffers for one call. */
export const MAX_RESULT_BYTES = 128 * 1024 * 1024;

/** `error` of `fermyon:spin/redis@2.0.0` and `spin:redis/redis@3.0.0`. */
export type RedisError = { tag: 'invalid-address' } | { tag: 'too-many-connections' } | { tag: 'type-error' } | { tag: 'other'; val: string };

/** An error on its way to a guest. Its message names no password: addresses are not repeated. */
export class RedisFault extends Error {
  override name = 'RedisFault';

  constructor(readonly error: RedisError) {
    super(error.tag === 'other' ? error.val : error.tag);
  }
}
