/** What apps take and nodes have. Whole numbers, so that sums stay exact however often something is added and taken off. */
export interface Resources {
  memoryBytes: number;
  /** Thousandths of a core. */
  milliCores: number;
}

export const NOTHING: Resources = { memoryBytes: 0, milliCores: 0 };

export function plus(a: Resources, b: Resources): Resources {
  return { memoryBytes: a.memoryBytes + b.memoryBytes, milliCores: a.milliCores + b.milliCores };
}

/** For people: `1.5 GB and 0.25 cores`. */
export function inWords({ memoryBytes, milliCores }: Resources): string {
  const cores = milliCores / 1000;
  return `${memoryWords(memoryBytes)} and ${Number(cores.toFixed(cores < 10 ? 2 : 0))} cores`;
}

function memoryWords(bytes: number): string {
  for (const [unit, size] of [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]] as const) {
    if (Math.abs(bytes) >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`;
  }
  return `${bytes} bytes`;
}
