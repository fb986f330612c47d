import { describe, expect, it } from '@jest/globals';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import { toRuntimeGrant } from './merge.js';
import { toRuntimeConfig } from './read-config.js';

const grantOf = (...layers: unknown[]) => toRuntimeGrant('app', layers.map(toRuntimeConfig));

describe(toRuntimeGrant.name, () => {
  it('comes to nothing without a layer', () => {
    expect(grantOf()).toEqual(NO_RUNTIME_GRANT);
    expect(grantOf({}, {})).toEqual(NO_RUNTIME_GRANT);
  });

  it('takes a link before every layer, and a default only where there is nothing else', () => {
    const redis = { type: 'redis' as const, url: 'redis://h' };
    const file = { type: 'spin' as const, file: 'f' };
    const stores = (label: string, backend: typeof redis | typeof file) => ({ keyValueStores: { [label]: backend }, sqliteDatabases: {} });
    const layers = [toRuntimeConfig({ key_value_store: { a: { type: 'redis', url: 'redis://other' }, default: { type: 'redis', url: 'redis://h' } } })];
    expect(toRuntimeGrant('app', layers, { links: stores('a', file), defaults: stores('default', file) }).keyValueStores).toEqual({ a: file, default: redis });
    expect(toRuntimeGrant('app', [], { defaults: stores('default', file) }).keyValueStores).toEqual({ default: file });
  });

  it('takes a table that is nearer whole', () => {
    expect(grantOf({ outbound_networking: { block_networks: ['private'], max_total_connections: 1 } }, { outbound_networking: { max_total_connections: 2 } }).outboundNetworking).toEqual({ blockNetworks: [], maxTotalConnections: 2 });
    const names = (...layers: unknown[]) => grantOf(...layers).variablesProviders.map(({ type }) => type);
    expect(names({ variables_provider: [{ type: 'env' }] }, { variables_provider: [{ type: 'static', values: {} }] })).toEqual(['static']);
  });

  it.each([
    ['on without a table', {}, true],
    ['off in a table that does not say', { outbound_http: {} }, false],
    ['as the table says', { outbound_http: { connection_pooling: true } }, true],
  ])('has the pooling of HTTP connections %s, as Spin has it', (_how, config, pooling) => {
    expect(grantOf(config).outboundHttp.connectionPooling).toBe(pooling);
  });

  it.each([
    ['are those of Node', {}, true],
    ['are others alone when they are given', { ca_roots_pem: '-----BEGIN CERTIFICATE-----' }, false],
    ['are both when it says so', { ca_roots_pem: '-----BEGIN CERTIFICATE-----', ca_use_webpki_roots: true }, true],
    ['are none when it says so', { ca_use_webpki_roots: false }, false],
  ])('has roots for TLS that %s', (_how, tls, used) => {
    expect(grantOf({ client_tls: [{ component_ids: ['web'], hosts: ['db'], ...tls }] }).clientTls[0]!.caUseRoots).toBe(used);
  });

  it('knows max_concurrent_requests by its new name', () => {
    expect(grantOf({ outbound_http: { max_concurrent_requests: 7 } }).outboundHttp).toEqual({ connectionPooling: false, maxConnections: 7 });
  });
});
