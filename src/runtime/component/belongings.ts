import type { HostMemory } from '#runtime/capability/host-memory.js';

/** What one of several invocations has in a slot. */
export class Belongings {
  readonly releases: (() => void)[] = [];
  /** What capabilities keep for it. */
  capabilities?: object;

  constructor(readonly memory: HostMemory) {}
}
