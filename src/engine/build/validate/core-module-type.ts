import { LinkError } from '#engine/build/build-error.js';
import type { CoreImport, CoreModule } from '#engine/build/core/core-module.js';
import { resolveDesc, type CoreExternType, type CoreLimits, type Signature } from '#engine/build/core/core-types.js';
import type { ModuleDecl } from '#engine/build/decode/ast.js';
import type { ModuleType } from './types.js';

/** WebAssembly Core, 3.2.5: a memory has at most 4 GiB. */
const MAX_MEMORY_PAGES = 65_536;

type OuterType = (count: number, index: number) => Signature;

class ModuleTypeBuilder {
  readonly type: ModuleType = { k: 'module', imports: new Map(), exports: new Map() };

  import(item: CoreImport): void {
    const key = `${JSON.stringify(item.module)} ${JSON.stringify(item.name)}`;
    if (this.type.imports.has(key)) throw new LinkError('invalid', `the core import ${key} stands twice in a core module`);
    this.type.imports.set(key, item);
  }

  export(name: string, type: CoreExternType): void {
    if (this.type.exports.has(name)) throw new LinkError('invalid', `a core module type exports ${JSON.stringify(name)} twice`);
    this.type.exports.set(name, type);
  }
}

/** The type of a core module. Throws `LinkError` when two of its imports have the same names (Explainer.md, Core modules). */
export function moduleTypeOf(module: CoreModule): ModuleType {
  const builder = new ModuleTypeBuilder();
  for (const item of module.imports) builder.import(item);
  for (const { name, type } of module.exports) builder.export(name, type);
  return builder.type;
}

/** The module type that declarators describe; `outer` finds function types of the spaces around it. Throws `LinkError`. */
export function moduleType(decls: ModuleDecl[], outer: OuterType): ModuleType {
  const builder = new ModuleTypeBuilder();
  const types: Signature[] = [];
  const signature = (index: number): Signature => {
    const found = types[index];
    if (found === undefined) throw new LinkError('invalid', `there is no type ${index} in a core module type`);
    return found;
  };
  for (const decl of decls) {
    switch (decl.k) {
      case 'type': types.push(decl.signature); break;
      case 'outer type': types.push(decl.count === 0 ? signature(decl.index) : outer(decl.count - 1, decl.index)); break;
      case 'import': builder.import({ module: decl.module, name: decl.name, type: checked(resolveDesc(decl.type, signature)) }); break;
      case 'export': builder.export(decl.name, checked(resolveDesc(decl.type, signature))); break;
    }
  }
  return builder.type;
}

function checked(type: CoreExternType): CoreExternType {
  if (type.kind === 'memory') checkLimits('memory', type, MAX_MEMORY_PAGES);
  if (type.kind === 'table') checkLimits('table', type, 2 ** 32);
  if (type.kind === 'tag' && type.signature !== null && !type.signature.endsWith('>')) throw new LinkError('invalid', 'a tag with results in a core module type');
  return type;
}

function checkLimits(what: string, { min, max }: CoreLimits, most: number): void {
  if (Math.max(min, max ?? 0) > most || (max !== null && max < min)) {
    throw new LinkError('invalid', `a core module type has a ${what} with the limits ${min} ${max ?? ''}`);
  }
}
