import { describe, expect, it } from '@jest/globals';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { assignmentOf } from '../../../test/fixtures/assignment.js';
import { ProviderEnvironment } from './provider-environment.js';

const variablesOf = (names: string[]) => Object.fromEntries(names.map((name) => [name, { secret: false }]));

function assigned(providers: unknown[], names: string[]) {
  const assignment = assignmentOf({ runtime: RuntimeGrant.parse({ variablesProviders: providers }) });
  return { ...assignment, versions: assignment.versions.map((version) => ({ ...version, app: { ...version.app, variables: variablesOf(names) } })) };
}

describe(ProviderEnvironment.name, () => {
  const environment = new ProviderEnvironment({
    SPIN_VARIABLE_API_KEY: 'k', SPIN_VARIABLE_OTHER: 'o', MINE_API_KEY: 'm', SPIN_VARIABLE_EMPTY: '', WHORL_NODE_TOKEN: 'secret', DATABASE_URL: 'postgres://', PATH: '/bin',
  });
  const env = (prefix: string) => ({ type: 'env', prefix });
  const providersOf = (providers: unknown[], names: string[]) => environment.resolve(assigned(providers, names)).runtime.variablesProviders;

  it('puts values in for what the app declares, in the place of the provider', () => {
    const own = { type: 'static', values: { a: 'b' } };
    expect(providersOf([own, env('SPIN_VARIABLE'), env('MINE')], ['api_key', 'empty', 'unset'])).toEqual([
      own, { type: 'static', values: { api_key: 'k', empty: '' } }, { type: 'static', values: { api_key: 'm' } },
    ]);
  });

  it('gives nothing of what the platform reads itself, whatever the prefix', () => {
    expect(providersOf([env('WHORL'), env('DATABASE'), env('WHORL_NODE')], ['node_token', 'url', 'token'])).toEqual(Array.from({ length: 3 }, () => ({ type: 'static', values: {} })));
  });

  it('leaves an assignment without such a provider as it is, and gives the same object for the same assignment', () => {
    const without = assigned([{ type: 'static', values: {} }], ['a']);
    expect(environment.resolve(without)).toBe(without);
    const withOne = assigned([env('SPIN_VARIABLE')], ['a']);
    expect(environment.resolve(withOne)).toBe(environment.resolve(withOne));
  });
});
