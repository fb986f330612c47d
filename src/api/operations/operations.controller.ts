import { Controller, Get, Post, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf } from '#platform/http/page.js';
import { lastEventId, sendEvents } from '#platform/http/sse.js';
import { Lifetime } from '#platform/lifetime.js';
import { OperationParams, OperationQuery, OperationsQuery, OperationView } from './operation.schema.js';
import { OperationsService } from './operations.service.js';

const ListOperations = endpoint({
  summary: 'List the operations, newest first',
  tag: 'operations',
  query: OperationsQuery,
  responses: { 200: { description: 'One page of operations.', body: pageOf(OperationView) } },
});

const GetOperation = endpoint({
  summary: 'Show an operation',
  description: 'With `wait`, answers when it has ended or the time is up. The ETag is its `revision`.',
  tag: 'operations',
  params: OperationParams,
  query: OperationQuery,
  responses: { 200: { description: 'The operation.', body: OperationView } },
  errors: ['API_OPERATION_NOT_FOUND'],
});

const FollowOperation = endpoint({
  summary: 'Follow an operation',
  description:
    'As server-sent events: the operation as it is now (`change`), again after each change, and at its end (`end`), after which the stream ends. Each event is the whole of it, with all ' +
    'of its steps: a client that reconnects with Last-Event-ID is told nothing that it knows, and misses nothing.',
  tag: 'operations',
  params: OperationParams,
  responses: { 200: { description: 'The operation, after each change.', body: OperationView, contentType: 'text/event-stream', events: OperationView } },
  errors: ['API_OPERATION_NOT_FOUND'],
});

const CancelOperation = endpoint({
  summary: 'Cancel an operation',
  description: 'A rollout is ended: what was served before is served again. 409 when it has ended, or its kind cannot be left half done.',
  tag: 'operations',
  params: OperationParams,
  idempotent: true,
  responses: { 200: { description: 'It has ended, or is going to (`cancelAsked`).', body: OperationView } },
  errors: ['API_OPERATION_NOT_FOUND', 'API_OPERATION_ENDED', 'API_OPERATION_NOT_CANCELLABLE', 'API_ROLLOUT_DECIDED'],
});

@Controller('v1/operations')
export class OperationsController {
  constructor(
    private readonly operations: OperationsService,
    private readonly lifetime: Lifetime,
  ) {}

  @Get()
  @Endpoint(ListOperations)
  list(@Input() { query }: InputOf<typeof ListOperations>): Promise<Page<OperationView>> {
    return this.operations.list(query);
  }

  @Get(':operation')
  @Endpoint(GetOperation)
  async get(@Input() { params, query }: InputOf<typeof GetOperation>, @Res({ passthrough: true }) response: Response): Promise<OperationView> {
    const operation = await this.operations.wait(params.operation, query.wait);
    response.setHeader('ETag', `"${operation.revision}"`);
    return operation;
  }

  @Get(':operation/events')
  @Endpoint(FollowOperation)
  async follow(@Input() { params }: InputOf<typeof FollowOperation>, @Req() request: ApiRequest, @Res() response: Response): Promise<void> {
    await sendEvents(response, await this.operations.follow(params.operation, lastEventId(request)), this.lifetime.signal);
  }

  @Post(':operation/cancel')
  @Endpoint(CancelOperation)
  cancel(@Input() { params }: InputOf<typeof CancelOperation>, @Req() request: ApiRequest): Promise<OperationView> {
    return this.operations.cancel(params.operation, request.principal!.name);
  }
}
