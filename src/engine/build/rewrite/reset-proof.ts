import type { PlanReset } from '#engine/plan.js';
import type { CoreModule } from '#engine/build/core/core-module.js';
import type { CodeScan } from './code-scan.js';

/** Globals that JavaScript can read and set without loss. */
const PLAIN = new Set(['i32', 'i64', 'f32', 'f64']);

/**
 * Proves that an instance of the module is put back to an earlier state by putting back its memory and its mutable globals. The state
 * of a core instance is memory, globals, tables and which segments were dropped (WebAssembly Core, 4.2 "Runtime structure"): it is
 * enough that no instruction writes a table or drops a segment, and that every mutable global can be set from outside. What it imports
 * is the state of another instance of the same plan, which has a proof of its own; exceptions live on the stack and in references only.
 */
export function proveReset(module: CoreModule, scan: CodeScan | null): PlanReset {
  const mutable = module.ownGlobals.filter((global) => global.mutable);
  const opaque = mutable.find(({ value }) => !PLAIN.has(value ?? ''));
  if (opaque) return { inPlace: false, reason: `it has a mutable global of type ${opaque.value ?? 'reference'}` };
  if (scan?.lasting) return { inPlace: false, reason: `it uses ${scan.lasting}` };
  const unmarked = scan?.unmarkable;
  return { inPlace: true, globals: mutable.length, ...(unmarked ? { unmarked } : {}) };
}
