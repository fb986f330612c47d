import { Controller, Delete, Get, Post, Put, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf, PageQuery } from '#platform/http/page.js';
import { NewStore, StoreLink, StoreParams, StoreSettingsChange, StoreView } from './store.schema.js';
import { StoresService } from './stores.service.js';

const tag = 'stores';

const CreateStore = endpoint({
  summary: 'Make a store',
  description: 'A key-value store or a SQLite database, for the labels of apps to lead to. It outlives them.',
  tag,
  body: NewStore,
  idempotent: true,
  responses: { 201: { description: 'The store, without its secrets.', body: StoreView } },
  errors: ['API_STORE_EXISTS'],
});

const ListStores = endpoint({
  summary: 'List the stores, by name',
  description: 'Those that an app has by the label `default` without a link are among them: `<app>.key-value` and `<app>.sqlite`.',
  tag,
  query: PageQuery,
  responses: { 200: { description: 'One page of stores.', body: pageOf(StoreView) } },
});

const GetStore = endpoint({
  summary: 'Show a store',
  tag,
  params: StoreParams,
  responses: { 200: { description: 'The store, without its secrets.', body: StoreView } },
  errors: ['API_STORE_NOT_FOUND'],
});

const ChangeStore = endpoint({
  summary: 'Give a store other settings',
  description: 'Such as a new password. Answers when every live node has them.',
  tag,
  params: StoreParams,
  body: StoreSettingsChange,
  responses: { 200: { description: 'The store, without its secrets.', body: StoreView } },
  errors: ['API_STORE_NOT_FOUND', 'API_SWITCH_TIMEOUT'],
});

const DeleteStore = endpoint({
  summary: 'Delete a store',
  description: 'Refused while a label leads to it. Of the type `spin` the data goes with it; that of a service stays there.',
  tag,
  params: StoreParams,
  responses: { 204: { description: 'The store is gone.', body: null } },
  errors: ['API_STORE_NOT_FOUND', 'API_STORE_IN_USE'],
});

const LinkStore = endpoint({
  summary: 'Lead a label of an app to a store',
  description: 'In the place of where it led before; goes before every runtime configuration. Several apps may share a store. Creates the app when it is new. Answers when every live node has it.',
  tag,
  params: StoreParams,
  body: StoreLink,
  idempotent: true,
  responses: { 201: { description: 'The store with its links.', body: StoreView } },
  errors: ['API_STORE_NOT_FOUND', 'API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND', 'API_SWITCH_TIMEOUT'],
});

const UnlinkStore = endpoint({
  summary: 'Take a link away',
  description: 'Its data stays. Answers when every live node has it.',
  tag,
  params: StoreParams,
  query: StoreLink,
  responses: { 204: { description: 'The label does not lead to the store any more.', body: null } },
  errors: ['API_STORE_NOT_FOUND', 'API_APP_NOT_FOUND', 'API_STORE_LINK_NOT_FOUND', 'API_STORE_LABEL_UNKNOWN', 'API_VARIABLE_REQUIRED', 'API_SWITCH_TIMEOUT'],
});

@Controller('v1/stores')
export class StoresController {
  constructor(private readonly stores: StoresService) {}

  @Post()
  @Endpoint(CreateStore)
  async create(@Input() { body }: InputOf<typeof CreateStore>, @Res({ passthrough: true }) response: Response): Promise<StoreView> {
    response.location(`/v1/stores/${body.name}`);
    return this.stores.create(body);
  }

  @Get()
  @Endpoint(ListStores)
  list(@Input() { query }: InputOf<typeof ListStores>): Promise<Page<StoreView>> {
    return this.stores.list(query);
  }

  @Get(':store')
  @Endpoint(GetStore)
  async get(@Input() { params }: InputOf<typeof GetStore>): Promise<StoreView> {
    return this.stores.view(await this.stores.get(params.store));
  }

  @Put(':store')
  @Endpoint(ChangeStore)
  change(@Input() { params, body }: InputOf<typeof ChangeStore>): Promise<StoreView> {
    return this.stores.changeSettings(params.store, body);
  }

  @Delete(':store')
  @Endpoint(DeleteStore)
  remove(@Input() { params }: InputOf<typeof DeleteStore>): Promise<void> {
    return this.stores.remove(params.store);
  }

  @Post(':store/links')
  @Endpoint(LinkStore)
  link(@Input() { params, body }: InputOf<typeof LinkStore>): Promise<StoreView> {
    return this.stores.link(params.store, body);
  }

  @Delete(':store/links')
  @Endpoint(UnlinkStore)
  unlink(@Input() { params, query }: InputOf<typeof UnlinkStore>): Promise<void> {
    return this.stores.unlink(params.store, query);
  }
}
