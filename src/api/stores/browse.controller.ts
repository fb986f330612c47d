import { Controller, Delete, Get, Post, Put, Req, Res, StreamableFile } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf } from '#platform/http/page.js';
import { KeyParams, KeysQuery, OnNode, SetQuery, SqlRequest, SqlView, VALUE_TYPES, ValueView } from './browse.schema.js';
import { BrowseService } from './browse.service.js';
import { StoreParams } from './store.schema.js';
import { readValueBody } from './value-body.js';

const tag = 'stores';
const errors = ['API_STORE_NOT_FOUND', 'API_STORE_KIND_WRONG', 'API_STORE_NODE_UNCLEAR', 'API_STORE_UNREACHABLE', 'API_STORE_FAILED', 'API_STORE_TIMEOUT'] as const;
const [bytes] = VALUE_TYPES;

const ListKeys = endpoint({
  summary: 'List the keys of a store',
  description: 'Keys that are there all the time are listed once, whatever changes meanwhile; a store in Redis may list one twice, and somewhat more than the limit.',
  tag,
  params: StoreParams,
  query: KeysQuery,
  responses: { 200: { description: 'One page of keys.', body: pageOf(z.string()) } },
  errors,
});

const GetKey = endpoint({
  summary: 'Read a key',
  description: 'The bytes as they are, or with `Accept: application/json` in base64.',
  tag,
  params: KeyParams,
  query: OnNode,
  responses: { 200: { description: 'The value.', body: z.string(), contentType: bytes, json: ValueView } },
  errors: [...errors, 'API_STORE_KEY_NOT_FOUND'],
});

const SetKey = endpoint({
  summary: 'Write a key',
  tag,
  params: KeyParams,
  query: SetQuery,
  streamedBody: { contentTypes: VALUE_TYPES, description: 'The bytes as they are, or as JSON {"value": "<base64>"}.' },
  responses: { 204: { description: 'It is written.', body: null } },
  errors: [...errors, 'API_MEDIA_TYPE_UNSUPPORTED', 'API_BODY_TOO_LARGE', 'API_BODY_MALFORMED'],
});

const DeleteKey = endpoint({
  summary: 'Delete a key',
  tag,
  params: KeyParams,
  query: OnNode,
  responses: { 204: { description: 'There is no such key any more.', body: null } },
  errors,
});

const RunSql = endpoint({
  idempotent: true,
  summary: 'Run a statement against a database',
  description: 'In a connection of its own. What it may change is nothing unless `readOnly` is false; one that takes longer than it may is stopped.',
  tag,
  params: StoreParams,
  query: OnNode,
  body: SqlRequest,
  responses: { 200: { description: 'What it answers.', body: SqlView } },
  errors: [...errors, 'API_SQL_INVALID'],
});

@Controller('v1/stores/:store')
export class BrowseController {
  constructor(private readonly browse: BrowseService) {}

  @Get('keys')
  @Endpoint(ListKeys)
  keys(@Input() { params, query }: InputOf<typeof ListKeys>): Promise<Page<string>> {
    return this.browse.keys(params.store, query);
  }

  @Get('keys/:key')
  @Endpoint(GetKey)
  async get(@Input() { params, query }: InputOf<typeof GetKey>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<StreamableFile | ValueView> {
    const value = await this.browse.get(params.store, params.key, query.node);
    response.vary('Accept');
    if (request.accepts([...VALUE_TYPES]) === 'application/json') return { key: params.key, value: value.toString('base64') };
    return new StreamableFile(value, { type: bytes, length: value.length });
  }

  @Put('keys/:key')
  @Endpoint(SetKey)
  async set(@Input() { params, query }: InputOf<typeof SetKey>, @Req() request: ApiRequest): Promise<void> {
    await this.browse.set(params.store, params.key, await readValueBody(request), query);
  }

  @Delete('keys/:key')
  @Endpoint(DeleteKey)
  remove(@Input() { params, query }: InputOf<typeof DeleteKey>): Promise<void> {
    return this.browse.remove(params.store, params.key, query.node);
  }

  @Post('sql')
  @Endpoint(RunSql)
  sql(@Input() { params, query, body }: InputOf<typeof RunSql>): Promise<SqlView> {
    return this.browse.sql(params.store, body, query.node);
  }
}
