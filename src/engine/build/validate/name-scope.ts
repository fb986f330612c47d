import { LinkError } from '#engine/build/build-error.js';
import type { ExternName } from '#engine/build/decode/ast.js';
import type { TypeStore } from './type-store.js';
import { completesVersion, isInterfaceName, parseExternName, type ParsedName } from './extern-name.js';
import type { Extern, FuncType, ResourceType, ValueType } from './types.js';

/** The names of the imports, or of the exports, of one component, component type or instance type (Binary.md, Import and Export Definitions). */
export class NameScope {
  private readonly taken = new Map<string, string>();
  private readonly resources = new Map<string, ResourceType>();

  constructor(private readonly what: 'import' | 'export', private readonly store: TypeStore) {}

  /** Adds a name for something of the given type. Throws `LinkError`. */
  add({ name, attributes }: ExternName, extern: Extern): void {
    const parsed = parseExternName(name);
    if (parsed.kind === 'dependency' && this.what === 'export') throw new LinkError('invalid', `${JSON.stringify(name)} is not a name for an export`);
    const previous = this.taken.get(parsed.key);
    if (previous !== undefined) {
      const how = previous === name ? 'twice' : `and ${JSON.stringify(previous)} too, which is too much alike`;
      throw new LinkError('invalid', `${JSON.stringify(name)} is ${this.what}ed ${how}`);
    }
    this.taken.set(parsed.key, name);
    if (parsed.kind === 'plain') {
      if (extern.sort === 'type' && extern.type.k === 'resource') this.resources.set(name, extern.type);
    } else if (parsed.kind !== 'interface' && parsed.kind !== 'dependency') this.checkAnnotation(name, parsed, extern);
    if (attributes?.implements !== undefined) this.checkImplements(name, parsed, extern, attributes.implements);
    if (attributes?.versionSuffix !== undefined && !(parsed.kind === 'interface' && completesVersion(name, attributes.versionSuffix))) {
      throw new LinkError('invalid', `${JSON.stringify(name)}: the version suffix ${JSON.stringify(attributes.versionSuffix)} does not complete a version`);
    }
  }

  private checkImplements(name: string, parsed: ParsedName, extern: Extern, value: string): void {
    if (extern.sort !== 'instance' || parsed.kind !== 'plain') {
      throw new LinkError('invalid', `${JSON.stringify(name)}: only instances with a plain name implement an interface`);
    }
    if (!isInterfaceName(value)) throw new LinkError('invalid', `${JSON.stringify(name)}: ${JSON.stringify(value)} is not the name of an interface`);
  }

  private checkAnnotation(name: string, { kind, label }: ParsedName, extern: Extern): void {
    const place = JSON.stringify(name);
    if (extern.sort !== 'func') throw new LinkError('invalid', `${place} is a ${extern.sort}, not a function`);
    const resource = this.resources.get(label);
    if (resource === undefined) throw new LinkError('invalid', `${place}: there is no resource ${JSON.stringify(label)} among the ${this.what}s before it`);
    if (kind === 'constructor' && this.constructed(extern.type) !== resource) {
      throw new LinkError('invalid', `${place} does not return (own ${label}), alone or as a result`);
    }
    if (kind === 'method' && this.self(extern.type) !== resource) {
      throw new LinkError('invalid', `${place} does not take (param "self" (borrow ${label})) first`);
    }
  }

  /** The resource type that a function returns a handle of. */
  private constructed({ result }: FuncType): ResourceType | null {
    if (result === null) return null;
    const { table } = this.store;
    const type = table.get(result.shape);
    if (type.t !== 'result') return handled(result, type.t === 'own');
    const ok = result.parts[0];
    return ok?.k === 'value' && ok.shape === type.ok ? handled(ok, table.get(ok.shape).t === 'own') : null;
  }

  private self({ shape, params: [param] }: FuncType): ResourceType | null {
    const { table } = this.store;
    if (!param || table.funcTypes[shape]!.params[0]![0] !== 'self') return null;
    return handled(param, table.get(param.shape).t === 'borrow');
  }
}

function handled(handle: ValueType, isWanted: boolean): ResourceType | null {
  const resource = handle.parts[0];
  return isWanted && resource?.k === 'resource' ? resource : null;
}
