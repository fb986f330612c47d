import { isAbsolute, join, relative } from 'node:path';
import type { KeyValueBackend } from '#contract/runtime-grant.js';
import { BoundedStore } from './bounded-store.js';
import { CosmosStore } from './cosmos-store.js';
import { DynamoStore } from './dynamo-store.js';
import { FileStore } from './file-store.js';
import { PostgresStore } from './postgres-store.js';
import { RedisStore } from './redis-store.js';
import { StoreError, type KeyValueStore } from './key-value-store.js';

/**
 * The store behind a backend. Nothing is connected or opened before the first call, and libraries are loaded with it. Whoever opens one
 * closes it. Throws StoreError for a file that lies outside of the org's folder.
 */
export function openKeyValueStore(backend: KeyValueBackend, orgDir: string): KeyValueStore {
  return new BoundedStore(driverFor(backend, orgDir));
}

/** The store in a file. */
export function openFileStore(path: string): KeyValueStore {
  return new BoundedStore(new FileStore(path));
}

function driverFor(backend: KeyValueBackend, orgDir: string): KeyValueStore {
  switch (backend.type) {
    case 'spin': return new FileStore(fileWithin(orgDir, backend.file));
    case 'redis': return new RedisStore(backend.url);
    case 'postgres': return new PostgresStore(backend.url);
    case 'aws_dynamo': return new DynamoStore(backend);
    case 'azure_cosmos': return new CosmosStore(backend);
  }
}

/** The configuration was checked when it was made; a file elsewhere would be another org's all the same. */
function fileWithin(orgDir: string, file: string): string {
  const path = join(orgDir, file);
  const below = relative(orgDir, path);
  if (isAbsolute(file) || below === '' || below.split(/[\\/]/)[0] === '..') throw new StoreError('the store lies outside of its folder');
  return path;
}
