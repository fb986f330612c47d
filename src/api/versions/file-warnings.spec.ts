import { describe, expect, it } from '@jest/globals';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { fileWarnings } from './file-warnings.js';

const component = { id: 'web', keyValueStores: ['default', 'cache'], sqliteDatabases: ['default', 'books'] };
const grant = RuntimeGrant.parse({ keyValueStores: { cache: { type: 'redis', url: 'redis://h' } }, sqliteDatabases: { books: { type: 'spin', file: 'f' } } });

describe(fileWarnings.name, () => {
  it('says of each file what to set, when there are several nodes', () => {
    expect(fileWarnings({ components: [component] }, grant, 1)).toEqual([]);
    const warnings = fileWarnings({ components: [component] }, grant, 3);
    expect(warnings.map((line) => /"(\w+)".*\[(\w+\.\w+)\]$/.exec(line)!.slice(1))).toEqual([['default', 'key_value_store.default'], ['default', 'sqlite_database.default'], ['books', 'sqlite_database.books']]);
  });
});
