import { z } from 'zod';
import { CapabilitySet } from '../capability-sets.js';
import { Digest } from '../ids.js';

/** A component that satisfies imports of another one. */
export const LockedDependency = z.object({
  /** Which imports: `a:b`, `a:b@1.0.0`, `a:b/c`, `a:b/c@1.0.0` or a plain name. */
  name: z.string(),
  /** Of its bytes (a component or a core module). */
  source: Digest,
  sourceBytes: z.int().nonnegative(),
  /** The export that satisfies them; absent: the one with the import's name. */
  export: z.string().optional(),
  /** Which of the grants of the app's component it has too. */
  inherit: z.array(CapabilitySet),
  /** Its own; what they inherit is part of what it inherits. */
  get dependencies() {
    return z.array(LockedDependency);
  },
}).meta({ id: 'LockedDependency' });
export type LockedDependency = z.infer<typeof LockedDependency>;

/** All dependencies of a component, those of its dependencies too. */
export function allDependencies(dependencies: readonly LockedDependency[] = []): LockedDependency[] {
  return dependencies.flatMap((dependency) => [dependency, ...allDependencies(dependency.dependencies)]);
}
