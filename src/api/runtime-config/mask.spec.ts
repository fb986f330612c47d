import { describe, expect, it } from '@jest/globals';
import { toRuntimeConfig } from './read-config.js';
import { maskConfig, maskSettings } from './mask.js';

describe(maskSettings.name, () => {
  it.each([
    ['redis://host:6379/0', 'redis://host:6379/0'],
    ['redis://:password@host', 'redis://:***@host'],
    ['redis://user:password@host:1/2', 'redis://user:***@host:1/2'],
    ['postgres://token@host/db', 'postgres://***@host/db'],
    ['postgres://host/db?password=x&sslmode=require', 'postgres://host/db?***'],
    ['not a url', '***'],
  ])('shows of %s no more than %s', (url, shown) => {
    expect(maskSettings({ url })).toEqual({ url: shown });
  });
});

describe(maskConfig.name, () => {
  it('shows labels that bear the name of a secret', () => {
    const config = toRuntimeConfig({ key_value_store: { token: { type: 'redis', url: 'redis://h' }, values: { type: 'spin' } }, outbound_pg: { max_connections: 3 } });
    expect(maskConfig(config)).toEqual(config);
  });

  it('shows the names of static variables, and none of their values', () => {
    expect(maskConfig(toRuntimeConfig({ variables_provider: [{ type: 'static', values: { a: 'x', type: 'y' } }] })).variables_provider).toEqual([{ type: 'static', values: { a: '***', type: '***' } }]);
  });
});
