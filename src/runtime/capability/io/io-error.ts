import { Err } from '#engine/run/host.js';
import type { ErrorCode } from '../http/error-code.js';

/** A `wasi:io/error`: what went wrong in a stream, with the code that `http-error-code` or `filesystem-error-code` asks for. */
export class IoError {
  constructor(readonly message: string, readonly httpCode: ErrorCode | null = null, readonly fileCode: string | null = null) {}

  static from(error: unknown): IoError {
    if (error instanceof IoError) return error;
    const { message, httpCode } = error as { message?: string; httpCode?: ErrorCode };
    return new IoError(message ?? String(error), httpCode ?? null);
  }
}

/** `stream-error` of wasi:io/streams. */
export type StreamError = { tag: 'closed' } | { tag: 'last-operation-failed'; val: IoError };

export const CLOSED = new Err<StreamError>({ tag: 'closed' });
export const lastOperationFailed = (error: unknown): Err<StreamError> =>
  new Err<StreamError>({ tag: 'last-operation-failed', val: IoError.from(error) });
