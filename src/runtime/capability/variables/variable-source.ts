import type { VariablesProvider } from '#contract/runtime-grant.js';
import { VariableFault } from './variable-fault.js';
import { providerOf } from './variable-provider.js';

/** Asks for a value. Rejects with a VariableFault. */
export type VariableQuestion = () => Promise<string>;

/** A value that is known, or how to come to it. */
export type VariableAnswer = string | VariableQuestion;

/** What a manifest says of a variable. */
interface Declared {
  default?: string | undefined;
}

/**
 * The values of an app's variables: what was set, then what a provider has, in the order of the providers, then the manifest's default.
 * What needs no question is known from the start.
 */
export class VariableSource {
  private readonly answers: ReadonlyMap<string, VariableAnswer>;
  /** Names of those that nothing can give a value. */
  readonly missing: readonly string[];

  constructor(declared: Readonly<Record<string, Declared>>, set: Readonly<Record<string, string>>, providers: readonly VariablesProvider[]) {
    const missing: string[] = [];
    this.answers = new Map(Object.entries(declared).flatMap(([name, { default: fallback }]): [string, VariableAnswer][] => {
      const answer = Object.hasOwn(set, name) ? set[name]! : look(name, fallback, providers);
      if (answer === undefined) missing.push(name);
      return answer === undefined ? [] : [[name, answer]];
    }));
    this.missing = missing;
  }

  /** undefined: there is no such variable, or nothing can give it a value. */
  find(name: string): VariableAnswer | undefined {
    return this.answers.get(name);
  }
}

function look(name: string, fallback: string | undefined, providers: readonly VariablesProvider[]): VariableAnswer | undefined {
  for (const [at, provider] of providers.entries()) {
    if (provider.type === 'static' && Object.hasOwn(provider.values, name)) return provider.values[name];
    if (provider.type === 'vault' || provider.type === 'azure_key_vault') return () => ask(name, fallback, providers.slice(at));
  }
  return fallback;
}

async function ask(name: string, fallback: string | undefined, providers: readonly VariablesProvider[]): Promise<string> {
  for (const provider of providers) {
    const value = provider.type === 'static' ? ownValue(provider.values, name) : provider.type === 'env' ? undefined : await providerOf(provider).get(name);
    if (value !== undefined) return value;
  }
  if (fallback === undefined) throw new VariableFault(`no provider resolved required variable ${JSON.stringify(name)}`);
  return fallback;
}

const ownValue = (values: Readonly<Record<string, string>>, name: string): string | undefined => (Object.hasOwn(values, name) ? values[name] : undefined);
