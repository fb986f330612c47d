import { BuildError } from '#engine/build/build-error.js';
import type { ComponentAst } from '#engine/build/decode/ast.js';

/** A component that is to satisfy imports of another one. */
export interface ComponentDependency {
  /** Which imports: a package (`a:b`, `a:b@1.0.0`), an interface (`a:b/c`, `a:b/c@1.0.0`) or a plain name (`log`). */
  name: string;
  bytes: Uint8Array;
  /** The export that satisfies them; without it, the one with the name of the import. */
  export?: string;
  /** Interfaces of the host, without their versions, that it asks in vain. */
  denied: readonly string[];
  /** Its own. */
  dependencies: readonly ComponentDependency[];
}

/** Where an import gets its item from. */
export interface Wire {
  from: Composition;
  /** Name of the export of `from`. */
  export: string;
}

/** A decoded component and those that satisfy some of its imports; the host has to satisfy the rest. */
export interface Composition {
  component: ComponentAst;
  /** As messages and the capability summary call it: `a:b`, or `a:b > c:d` for what a dependency depends on; '' for the root. */
  path: string;
  /** By the name of the import. */
  wires: ReadonlyMap<string, Wire>;
  dependencies: readonly Composition[];
  /** Interfaces of the host, without their versions, that it asks in vain. */
  denied: ReadonlySet<string>;
}

/** A component that the host alone satisfies. */
export function alone(component: ComponentAst): Composition {
  return { component, path: '', wires: new Map(), dependencies: [], denied: new Set() };
}

/** `wasi:io/streams@0.2.3` → `wasi:io/streams`. */
export function withoutVersion(iface: string): string {
  const at = iface.indexOf('@');
  return at < 0 ? iface : iface.slice(0, at);
}

/**
 * `wasi:io/streams@0.2.3` → `wasi:io/streams@0.2`: what all compatible versions of an interface have in common (semver.org; a pre-release
 * is compatible with itself alone).
 */
export function compatibleName(iface: string): string {
  const [, name, major, minor, patch] = /^([^@]+)@(\d+)\.(\d+)\.(\d+)(?:\+.*)?$/.exec(iface) ?? [];
  if (name === undefined) return iface;
  if (major !== '0') return `${name}@${major}`;
  return minor === '0' ? `${name}@0.0.${patch}` : `${name}@0.${minor}`;
}

/** Goes before the message of what is wrong with a dependency. */
export function inside(path: string): string {
  return `dependency ${JSON.stringify(path)}: `;
}

/** The error with the dependency that it is about in its message. */
export function inDependency(path: string, error: BuildError): BuildError {
  return new BuildError(error.kind, `${inside(path)}${error.message}`, { cause: error });
}
