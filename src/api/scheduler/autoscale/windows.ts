/** What nodes measured of a channel over a span of time, all of them together. */
export interface LoadSample {
  /** The end of the span. */
  atMs: number;
  /** Requests under way, on average over the span, waiting ones included. */
  concurrency: number;
  /** CPU used, in thousandths of a core. */
  milliCores: number;
}

export interface Load {
  concurrency: number;
  milliCores: number;
}

/**
 * The average over the samples of the window that ends now; undefined without any: nobody measured, which is not the same as nothing to
 * measure.
 */
export function averageOver(samples: readonly LoadSample[], nowMs: number, windowMs: number): Load | undefined {
  let count = 0;
  let concurrency = 0;
  let milliCores = 0;
  for (let i = samples.length - 1; i >= 0; i--) {
    const sample = samples[i]!;
    if (sample.atMs > nowMs) continue;
    if (sample.atMs <= nowMs - windowMs) break;
    count++;
    concurrency += sample.concurrency;
    milliCores += sample.milliCores;
  }
  return count === 0 ? undefined : { concurrency: concurrency / count, milliCores: milliCores / count };
}
