import { Controller, Get, HttpStatus, Post, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf, PageQuery } from '#platform/http/page.js';
import { readPrefer, waitOf } from '#platform/http/prefer.js';
import { CollectionParams, CollectionQuery, CollectionRequest, CollectionView } from './collection.schema.js';
import { CollectionsService } from './collections.service.js';

const StartCollection = endpoint({
  summary: 'Delete what nobody needs any more',
  description:
    'Gives up the bytes of versions that the policy does not keep, and deletes whatever neither a version nor a repository nor an upload holds. ' +
    'Nothing that was stored or pushed again within the grace time is deleted. It runs by itself too, every few hours.',
  tag: 'collections',
  query: CollectionQuery,
  body: CollectionRequest,
  idempotent: true,
  respondsAsync: true,
  responses: {
    202: { description: 'It runs.', body: CollectionView },
    200: { description: 'It is done, or has failed.', body: CollectionView },
  },
  errors: ['API_COLLECTION_RUNNING'],
});

const ListCollections = endpoint({
  summary: 'List collections, newest first',
  tag: 'collections',
  query: PageQuery,
  responses: { 200: { description: 'One page of collections.', body: pageOf(CollectionView) } },
});

const GetCollection = endpoint({
  summary: 'Show a collection',
  tag: 'collections',
  params: CollectionParams,
  responses: { 200: { description: 'The collection, with its report once it is done.', body: CollectionView } },
  errors: ['API_COLLECTION_NOT_FOUND'],
});

@Controller('v1/collections')
export class CollectionsController {
  constructor(private readonly collections: CollectionsService) {}

  @Post()
  @Endpoint(StartCollection)
  async start(@Input() { query, body }: InputOf<typeof StartCollection>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<CollectionView> {
    const view = await this.collections.start(body.dryRun, request.principal!.name, waitOf(request, response, query.wait));
    const operation = readPrefer(request).respondAsync ? await this.collections.operationOf(view.id) : undefined;
    response.status(view.state === 'running' ? HttpStatus.ACCEPTED : HttpStatus.OK).location(operation === undefined ? `/v1/collections/${view.id}` : `/v1/operations/${operation}`);
    return view;
  }

  @Get()
  @Endpoint(ListCollections)
  list(@Input() { query }: InputOf<typeof ListCollections>): Promise<Page<CollectionView>> {
    return this.collections.list(query);
  }

  @Get(':collection')
  @Endpoint(GetCollection)
  get(@Input() { params }: InputOf<typeof GetCollection>): Promise<CollectionView> {
    return this.collections.get(params.collection);
  }
}
