import type { ComponentAst } from '#engine/build/decode/ast.js';
import { type Composition, withoutVersion } from './composition.js';

/** What one dependency asks of the host. */
export interface DependencySummary {
  /** Its name, after those that lead to it: `a:b > c:d`. */
  name: string;
  /** What it imports from the host and gets. */
  imports: string[];
  /** What it imports from the host in vain. */
  denied: string[];
}

export interface CompositionSummary {
  /** What the host has to answer, as the components name it (`wasi:http/types@0.2.3`), each once: the root's imports come first. */
  imports: string[];
  /** What the root exports. */
  exports: string[];
  dependencies: DependencySummary[];
}

/** The capability summary of a composition: who of it asks the host for what. */
export function summarise(root: Composition): CompositionSummary {
  const dependencies = root.dependencies.flatMap(flatten);
  const imports = new Set([...importsOf(root), ...dependencies.flatMap((dependency) => dependency.imports)]);
  return { imports: [...imports], exports: names(root.component, 'export'), dependencies };
}

function flatten(composition: Composition): DependencySummary[] {
  const { path, denied, dependencies } = composition;
  const own = importsOf(composition);
  const isDenied = (name: string): boolean => denied.has(withoutVersion(name));
  return [{ name: path, imports: own.filter((name) => !isDenied(name)), denied: own.filter(isDenied) }, ...dependencies.flatMap(flatten)];
}

/** What no dependency satisfies. */
function importsOf({ component, wires }: Composition): string[] {
  return names(component, 'import').filter((name) => !wires.has(name));
}

/** Names of a component's imports or exports, in order. */
export function names({ defs }: ComponentAst, kind: 'import' | 'export'): string[] {
  return defs.flatMap((def) => (def.k === kind ? [def.name] : []));
}
