import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { KeyValueBackend, SqliteBackend } from '#contract/runtime-grant.js';
import type { Page } from '#platform/http/page.js';
import type { KeysQuery, SetQuery, SqlRequest, SqlView } from './browse.schema.js';
import { StoreLinksService } from './store-links.service.js';
import { StoreRequestsService, type StoreResult } from './store-requests.service.js';
import { StoresService } from './stores.service.js';

/**
 * Looks into stores. Each method throws API_STORE_NOT_FOUND, API_STORE_KIND_WRONG and what `StoreRequestsService.ask` throws.
 */
@Injectable()
export class BrowseService {
  constructor(
    private readonly stores: StoresService,
    private readonly links: StoreLinksService,
    private readonly requests: StoreRequestsService,
  ) {}

  async keys(name: string, { prefix, cursor, limit, node }: KeysQuery): Promise<Page<string>> {
    const backend = await this.keyValue(name);
    const { keys, cursor: next } = expect('keys', await this.requests.ask(name, { op: 'keys', backend, prefix, cursor, limit }, { node }));
    return { items: keys, next };
  }

  /** Throws API_STORE_KEY_NOT_FOUND. */
  async get(name: string, key: string, node: string | undefined): Promise<Buffer> {
    const { value } = expect('value', await this.requests.ask(name, { op: 'get', backend: await this.keyValue(name), key }, { node }));
    if (value === null) throw new WhorlError('API_STORE_KEY_NOT_FOUND', `${name} has no key ${JSON.stringify(key)}`);
    return Buffer.from(value, 'base64');
  }

  async set(name: string, key: string, value: Uint8Array, { node, ttlMs }: SetQuery): Promise<void> {
    const backend = await this.keyValue(name);
    await this.requests.ask(name, { op: 'set', backend, key, value: Buffer.from(value).toString('base64'), ttlMs }, { node });
  }

  async remove(name: string, key: string, node: string | undefined): Promise<void> {
    await this.requests.ask(name, { op: 'delete', backend: await this.keyValue(name), key }, { node });
  }

  async sql(name: string, { sql, params, readOnly, timeoutMs }: SqlRequest, node: string | undefined): Promise<SqlView> {
    const { result: _result, ...view } = expect('rows', await this.requests.ask(name, { op: 'sql', backend: await this.sqlite(name), sql, params, readOnly }, { node, timeoutMs }));
    return view;
  }

  private async keyValue(name: string): Promise<KeyValueBackend> {
    const { kind, backend } = this.links.backendOf(await this.stores.get(name));
    if (kind !== 'key-value') throw new WhorlError('API_STORE_KIND_WRONG', `${name} is of the kind ${kind}: it has no keys`);
    return backend;
  }

  private async sqlite(name: string): Promise<SqliteBackend> {
    const { kind, backend } = this.links.backendOf(await this.stores.get(name));
    if (kind !== 'sqlite') throw new WhorlError('API_STORE_KIND_WRONG', `${name} is of the kind ${kind}: it takes no SQL`);
    return backend;
  }
}

function expect<R extends StoreResult['result']>(wanted: R, result: StoreResult): Extract<StoreResult, { result: R }> {
  if (result.result !== wanted) throw new Error(`a node answered ${result.result}, not ${wanted}`);
  return result as Extract<StoreResult, { result: R }>;
}
