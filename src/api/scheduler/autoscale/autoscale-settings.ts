/** How a channel is scaled between its least and its most replicas. */
export interface AutoscaleSettings {
  min: number;
  max: number;
  /** Requests under way at a time that one replica is to have. */
  targetConcurrency: number;
  /** CPU that one replica is to use, in thousandths of a core. */
  targetMilliCores: number;
  stableWindowMs: number;
  panicWindowMs: number;
  /** The panic window wants this many times what is ready: panic. */
  panicThreshold: number;
  /** Times what is ready, at most, in one step up. */
  maxScaleUpRate: number;
  /** What is ready divided by this, at least, in one step down. */
  maxScaleDownRate: number;
  /** Without any request for this long it is held on disk only, where `min` is 0. */
  idleAfterMs: number;
}

/** Those of Knative's `config-autoscaler` where it has such a setting; `targetMilliCores` and `idleAfterMs` are of our own. */
export const DEFAULT_AUTOSCALE: Omit<AutoscaleSettings, 'min' | 'max'> = {
  targetConcurrency: 70,
  targetMilliCores: 700,
  stableWindowMs: 60_000,
  panicWindowMs: 6_000,
  panicThreshold: 2,
  maxScaleUpRate: 1000,
  maxScaleDownRate: 2,
  idleAfterMs: 90_000,
};
