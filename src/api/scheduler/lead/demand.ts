import type { Resources } from '../placement/resources.js';

/** What an active replica is taken to need as long as nothing else is measured: a small component in each of some runners. */
export const BASE_DEMAND: Resources = { memoryBytes: 64 * 1024 * 1024, milliCores: 50 };

/**
 * CPU of one replica in steps that double: what placement goes by must not change with each measure. It goes up as soon as more is measured, and down
 * when less than a third of the step is.
 */
export function cpuStep(measuredMilliCores: number, before: number): number {
  let step = Math.max(before, BASE_DEMAND.milliCores);
  while (step < measuredMilliCores) step *= 2;
  while (step > BASE_DEMAND.milliCores && measuredMilliCores < step / 3) step /= 2;
  return Math.round(step);
}
