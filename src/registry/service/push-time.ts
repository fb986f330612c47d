import { WhorlError } from '#contract/errors.js';

/**
 * The longest that a push may take, from its first byte to its version: what it found in the store is safe from the collector for the grace
 * time (two hours at least), counted from when somebody last touched it, which may be an hour before (docs/adr/0025).
 */
const PUSH_MS = 50 * 60_000;

/** Runs one push with a signal that also aborts when it takes too long. */
export async function withinPushTime<T>(signal: AbortSignal, push: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new WhorlError('REGISTRY_STORAGE_UNAVAILABLE', 'the push took too long: push again, what came is there')), PUSH_MS).unref();
  try {
    return await push(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}
