import { describe, expect, it } from '@jest/globals';
import { NO_RUNTIME_GRANT, RuntimeGrant } from '#contract/runtime-grant.js';
import { toRuntimeConfig } from './read-config.js';
import { describeUnknown, mayBeProvided, takesAway, unknownLabels } from './requirements.js';

const component = { component: 'web', keyValueStores: ['default', 'cache'], sqliteDatabases: ['default', 'books'] };
const grant = RuntimeGrant.parse({ keyValueStores: { cache: { type: 'redis', url: 'redis://h' } }, sqliteDatabases: { books: { type: 'spin', file: 'f' } } });

describe(unknownLabels.name, () => {
  it('names each label that nothing stands behind, in the words of Spin', () => {
    expect(unknownLabels([component], NO_RUNTIME_GRANT).map(describeUnknown)).toEqual([
      'unknown key_value_stores label "cache" for component "web"', 'unknown sqlite_databases label "books" for component "web"',
    ]);
    expect(unknownLabels([component], grant)).toEqual([]);
  });

  it('does not take a property that every object has for a store', () => {
    expect(unknownLabels([{ ...component, keyValueStores: ['constructor'], sqliteDatabases: [] }], grant)).toHaveLength(1);
  });
});

describe(mayBeProvided.name, () => {
  it.each<[string, unknown[], boolean]>([
    ['nobody', [], false],
    ['static values without it', [{ type: 'static', values: { other: '' } }], false],
    ['static values with it', [{ type: 'static', values: { key: '' } }], true],
    ['the environment of nodes', [{ type: 'env', prefix: 'P' }], true],
  ])('asks %s', (_who, variablesProviders, may) => {
    expect(mayBeProvided(RuntimeGrant.parse({ variablesProviders }), 'key')).toBe(may);
  });
});

describe(takesAway.name, () => {
  const store = { key_value_store: { a: { type: 'redis', url: 'redis://h' } } };
  const provider = { variables_provider: [{ type: 'static', values: { a: 'x' } }] };
  it.each<[string, unknown, unknown, boolean]>([
    ['a new label', {}, store, false],
    ['another place for a label', store, { key_value_store: { a: { type: 'spin' } } }, false],
    ['a label that is gone', store, {}, true],
    ['a new list of providers, before that of a weaker layer', {}, provider, true],
    ['another provider', provider, { variables_provider: [] }, true],
    ['another limit', { ...store, outbound_pg: { max_connections: 1 } }, store, false],
  ])('of %s', (_what, before, after, takes) => {
    expect(takesAway(toRuntimeConfig(before), toRuntimeConfig(after))).toBe(takes);
  });
});
