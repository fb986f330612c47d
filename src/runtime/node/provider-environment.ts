import type { Assignment } from '#contract/assignment.js';
import type { VariablesProvider } from '#contract/runtime-grant.js';

/** What the platform itself reads, its secrets among it: no prefix leads there. */
const OWN = /^(WHORL_|NODE_|DATABASE_URL$)/;

/**
 * The environment of the node as providers of variables see it. Runners have none: an `env` provider reaches them as the values of the
 * variables that the app declares, and nothing else of the environment does (Spin: `<PREFIX>_<NAME IN CAPITALS>`).
 */
export class ProviderEnvironment {
  private readonly resolved = new WeakMap<Assignment, Assignment>();

  constructor(private readonly variables: Readonly<Record<string, string | undefined>>) {}

  /** The assignment without `env` providers; the same object for the same one. */
  resolve(assignment: Assignment): Assignment {
    const { variablesProviders } = assignment.runtime;
    if (!variablesProviders.some(({ type }) => type === 'env')) return assignment;
    let resolved = this.resolved.get(assignment);
    if (!resolved) {
      const names = new Set(assignment.versions.flatMap(({ app }) => Object.keys(app.variables)));
      const providers = variablesProviders.map((provider) => (provider.type === 'env' ? this.valuesOf(provider.prefix, names) : provider));
      resolved = { ...assignment, runtime: { ...assignment.runtime, variablesProviders: providers } };
      this.resolved.set(assignment, resolved);
    }
    return resolved;
  }

  private valuesOf(prefix: string, names: ReadonlySet<string>): VariablesProvider {
    const found = [...names].flatMap((name): [string, string][] => {
      const key = `${prefix}_${name.toUpperCase()}`;
      const value = OWN.test(key) ? undefined : this.variables[key];
      return value === undefined ? [] : [[name, value]];
    });
    return { type: 'static', values: Object.fromEntries(found) };
  }
}
