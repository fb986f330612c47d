import { z } from 'zod';
import { Digest } from '#contract/ids.js';
import { BuildFacts, BuiltDependency, HandlerKind } from '#contract/artifact.js';

/** A component that satisfies imports of the one that is built; see the engine's ComponentDependency. `source` is the file with its bytes. */
export const DependencyOrder = z.object({
  name: z.string(),
  source: z.string(),
  export: z.string().optional(),
  denied: z.array(z.string()),
  get dependencies() {
    return z.array(DependencyOrder);
  },
});
export type DependencyOrder = z.infer<typeof DependencyOrder>;

/** What is built: the file with the component, and its dependencies. */
export const BuildInput = z.object({ source: z.string(), dependencies: z.array(DependencyOrder) });
export type BuildInput = z.infer<typeof BuildInput>;

/** What the control plane tells a build worker: what to build, and the folder that takes the result. */
export const BuildOrder = BuildInput.extend({ order: z.int(), folder: z.string() });
export type BuildOrder = z.infer<typeof BuildOrder>;

/** What the worker sends back when the folder holds the result; nothing else goes over the channel. */
export const BuildDone = z.object({ done: z.int() });

/**
 *   <folder>
 *   ├── report.json      a BuildReport
 *   ├── plan.json
 *   └── module-<n>.wasm  the rewritten core modules, in the plan's order
 */
export const REPORT_FILE = 'report.json';
export const PLAN_FILE = 'plan.json';
export const moduleFile = (index: number): string => `module-${index}.wasm`;

const StoredFile = z.object({ digest: Digest, bytes: z.int().nonnegative() });

export const BuildSuccess = z.object({
  ok: z.literal(true),
  plan: StoredFile,
  modules: z.array(StoredFile),
  handlers: z.array(HandlerKind),
  imports: z.array(z.string()),
  exports: z.array(z.string()),
  dependencies: z.array(BuiltDependency),
  componentized: z.boolean(),
  facts: BuildFacts,
});
export type BuildSuccess = z.infer<typeof BuildSuccess>;

/** `kind` is that of the engine's BuildError, or `internal` for anything else. */
export const BuildFailure = z.object({
  ok: z.literal(false),
  kind: z.enum(['not-wasm', 'malformed', 'unsupported', 'invalid', 'limit', 'mismatch', 'componentize', 'internal']),
  message: z.string(),
  stack: z.string().optional(),
});
export type BuildFailure = z.infer<typeof BuildFailure>;

export const BuildReport = z.discriminatedUnion('ok', [BuildSuccess, BuildFailure]);
export type BuildReport = z.infer<typeof BuildReport>;
