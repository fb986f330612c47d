import { BuildError, LinkError } from '#engine/build/build-error.js';
import { ComponentValidator } from '#engine/build/validate/component-validator.js';
import type { ModuleCache } from '#engine/build/link/module-cache.js';
import { Substitution } from '#engine/build/validate/substitution.js';
import type { ComponentType, Extern } from '#engine/build/validate/types.js';
import type { ComponentAst } from '#engine/build/decode/ast.js';
import { compatibleName, type Composition, inside, inDependency, type Wire, withoutVersion } from './composition.js';

/** Introduces the resource types of the host, and those of the components put together. */
const COMPOSED = Symbol('composed');

/**
 * Validates every component of a composition, and that each export is a subtype of the import that it satisfies (Explainer.md, Type
 * Checking), as if a component around them instantiated them. Resource types of the host are the same for all that import compatible
 * versions of their interface; those of a denied interface are the dependency's own, since nothing of the host stands behind them.
 * Throws `LinkError`; `BuildError` for what is wrong inside a dependency, of the kind `mismatch` for one that does not fit.
 */
export function validateComposition(root: Composition, modules: ModuleCache): void {
  new CompositionValidator(new ComponentValidator(modules)).instance(root);
}

class CompositionValidator {
  private readonly types = new Map<ComponentAst, ComponentType>();
  private readonly hostResources = new Map<string, number>();

  constructor(private readonly validator: ComponentValidator) {}

  /** The types of what an instance of the component exports. */
  instance(composition: Composition): Map<string, Extern> {
    const made = new Map(composition.dependencies.map((dependency) => [dependency, this.instance(dependency)]));
    try {
      return this.exports(composition, made);
    } catch (error) {
      throw error instanceof BuildError && composition.path !== '' ? inDependency(composition.path, error) : error;
    }
  }

  private exports(composition: Composition, made: Map<Composition, Map<string, Extern>>): Map<string, Extern> {
    const type = this.typeOf(composition.component);
    const { store, matcher } = this.validator;
    const actual = new Substitution(store, type.binder, COMPOSED);
    for (const [name, wanted] of type.imports) {
      const wire = composition.wires.get(name);
      if (wire === undefined) {
        this.bindHost(name, wanted, actual, composition);
        continue;
      }
      const given = made.get(wire.from)!.get(wire.export)!;
      fitting(wire, () => matcher.check(wanted, given, { place: { name }, actual }));
      matcher.rename(wanted, given, actual);
    }
    return new Map([...type.exports].map(([name, extern]) => [name, actual.extern(extern)]));
  }

  /** A component that several dependencies are made of is validated once. */
  private typeOf(component: ComponentAst): ComponentType {
    let type = this.types.get(component);
    if (type === undefined) this.types.set(component, (type = this.validator.component(component, null)));
    return type;
  }

  private bindHost(name: string, wanted: Extern, actual: Substitution, { denied, path }: Composition): void {
    if (wanted.sort !== 'instance') return;
    const owner = denied.has(withoutVersion(name)) ? path : '';
    for (const [member, extern] of wanted.type.exports) {
      if (extern.sort !== 'type' || extern.type.k !== 'resource') continue;
      const key = `${owner} ${compatibleName(name)} ${member}`;
      let resource = this.hostResources.get(key);
      if (resource === undefined) this.hostResources.set(key, (resource = this.validator.store.freshResource(COMPOSED)));
      actual.bind(extern.type.id, resource);
    }
  }
}

/** What `check` finds to be of another type is a matter of how components were put together, not of any of them. */
function fitting(wire: Wire, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof LinkError && error.kind === 'invalid' ? new BuildError('mismatch', `${inside(wire.from.path)}${error.message}`, { cause: error }) : error;
  }
}
