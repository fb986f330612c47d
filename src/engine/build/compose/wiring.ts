import { BuildError, LinkError } from '#engine/build/build-error.js';
import type { ComponentAst } from '#engine/build/decode/ast.js';
import { type ComponentDependency, type Composition, inDependency, inside, type Wire } from './composition.js';
import { names } from './summary.js';

/** Reads the bytes of a dependency. Throws `BuildError`. */
type Decode = (bytes: Uint8Array) => Promise<ComponentAst>;

/** Dependencies of dependencies: more than any app needs, less than a cycle. */
const MAX_DEPTH = 16;
const MAX_DEPENDENCIES = 100;

interface ImportName {
  /** Package, or the whole of a plain name. */
  package: string;
  interface: string | null;
  version: string | null;
  isPlain: boolean;
}

function parseName(name: string): ImportName {
  if (!/[:/]/.test(name)) return { package: name, interface: null, version: null, isPlain: true };
  const at = name.indexOf('@');
  const path = at < 0 ? name : name.slice(0, at);
  const slash = path.indexOf('/');
  return {
    package: slash < 0 ? path : path.slice(0, slash),
    interface: slash < 0 ? null : path.slice(slash + 1),
    version: at < 0 ? null : name.slice(at + 1),
    isPlain: false,
  };
}

/** Whether a dependency of this name is for this import: what the name leaves out may be anything, what it says must be the same (as Spin matches). */
export function matchesImport(dependency: string, imported: string): boolean {
  const wanted = parseName(dependency);
  const given = parseName(imported);
  if (wanted.isPlain !== given.isPlain || wanted.package !== given.package) return false;
  if (wanted.interface !== null && wanted.interface !== given.interface) return false;
  return wanted.version === null || wanted.version === given.version;
}

/**
 * Finds out which import of a component gets which export of which dependency. Throws `BuildError` of the kind `mismatch`: a dependency
 * that matches no import, an import that two match, an export that is not there; or what `decode` throws.
 */
export async function compose(component: ComponentAst, dependencies: readonly ComponentDependency[], decode: Decode): Promise<Composition> {
  return new Wiring(decode).component(component, { denied: [], dependencies }, []);
}

class Wiring {
  private count = 0;
  private readonly decoded = new Map<Uint8Array, ComponentAst>();

  constructor(private readonly decode: Decode) {}

  async component(component: ComponentAst, { denied, dependencies }: Pick<ComponentDependency, 'denied' | 'dependencies'>, path: string[]): Promise<Composition> {
    if (path.length > MAX_DEPTH) throw new LinkError('limit', `dependencies depend on each other more than ${MAX_DEPTH} deep`);
    const wires = new Map<string, Wire & { name: string }>();
    const made: Composition[] = [];
    for (const dependency of dependencies) {
      if (++this.count > MAX_DEPENDENCIES) throw new LinkError('limit', `more than ${MAX_DEPENDENCIES} dependencies`);
      const there = [...path, dependency.name];
      const from = await this.component(await this.read(dependency.bytes, there), dependency, there);
      made.push(from);
      for (const name of this.matched(component, dependency.name, path)) {
        const before = wires.get(name);
        if (before) throw new BuildError('mismatch', `${where(path)}the import ${JSON.stringify(name)} is satisfied by two dependencies, ${JSON.stringify(before.name)} and ${JSON.stringify(dependency.name)}`);
        wires.set(name, { from, export: exportFor(name, dependency, from, path), name: dependency.name });
      }
    }
    return { component, path: path.join(' > '), wires, dependencies: made, denied: new Set(denied) };
  }

  private matched(component: ComponentAst, dependency: string, path: string[]): string[] {
    const imports = names(component, 'import');
    const matched = imports.filter((name) => matchesImport(dependency, name));
    if (matched.length === 0) {
      throw new BuildError('mismatch', `${where(path)}the dependency ${JSON.stringify(dependency)} matches no import: ${imports.length === 0 ? 'there are none' : listed(imports)}`);
    }
    return matched;
  }

  /** One file that several dependencies name is decoded once. */
  private async read(bytes: Uint8Array, path: string[]): Promise<ComponentAst> {
    const known = this.decoded.get(bytes);
    if (known) return known;
    const component = await this.decode(bytes).catch((error: unknown) => {
      throw error instanceof BuildError ? inDependency(path.join(' > '), error) : error;
    });
    this.decoded.set(bytes, component);
    return component;
  }
}

function exportFor(imported: string, dependency: ComponentDependency, { component }: Composition, path: string[]): string {
  const name = dependency.export ?? imported;
  const exports = names(component, 'export');
  if (exports.includes(name)) return name;
  throw new BuildError('mismatch', `${where(path)}the dependency ${JSON.stringify(dependency.name)} does not export ${JSON.stringify(name)} to satisfy the import ${JSON.stringify(imported)}: it exports ${exports.length === 0 ? 'nothing' : listed(exports)}`);
}

function where(path: string[]): string {
  return path.length === 0 ? '' : inside(path.join(' > '));
}

/** Enough of a list for a message. */
function listed(names: string[]): string {
  const shown = names.slice(0, 10).map((name) => JSON.stringify(name)).join(', ');
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}
