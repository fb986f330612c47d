import { z } from 'zod';
import { Digest } from '#contract/ids.js';
import { HandlerKind } from '#contract/artifact.js';

/** What the control plane tells a build worker: which file, and the folder that takes the result. */
export const BuildOrder = z.object({ order: z.int(), source: z.string(), folder: z.string() });
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
  componentized: z.boolean(),
  /** Memory that one instance has from the start. */
  initialMemoryBytes: z.int().nonnegative(),
});
export type BuildSuccess = z.infer<typeof BuildSuccess>;

/** `kind` is that of the engine's BuildError, or `internal` for anything else. */
export const BuildFailure = z.object({
  ok: z.literal(false),
  kind: z.enum(['not-wasm', 'malformed', 'unsupported', 'invalid', 'limit', 'componentize', 'internal']),
  message: z.string(),
  stack: z.string().optional(),
});
export type BuildFailure = z.infer<typeof BuildFailure>;

export const BuildReport = z.discriminatedUnion('ok', [BuildSuccess, BuildFailure]);
export type BuildReport = z.infer<typeof BuildReport>;
