import { Controller, Get, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { NodeName } from '#contract/ids.js';
import { NODE_ROUTES } from '#contract/node-routes.js';
import { StoreAnswer, StoreRequests } from '#contract/store-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { StoreRequestsService } from './store-requests.service.js';

const MAX_WAIT_S = 120;
const NodeParams = z.object({ node: NodeName.describe('Name of the node.') });
const ofNodes = { tag: 'nodes', scopes: ['node'] } as const;

const TakeRequests = endpoint({
  ...ofNodes,
  summary: 'What a node is asked to do with stores',
  description: 'Answers at once when there is something, else when there is or the time is up. Each is given once.',
  params: NodeParams,
  query: z.object({ wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(0).describe('Seconds to wait for something.') }),
  responses: { 200: { description: 'What it is asked; may be nothing.', body: StoreRequests } },
});

const PostAnswer = endpoint({
  ...ofNodes,
  summary: 'What came of something that a node was asked',
  params: NodeParams.extend({ request: z.uuid().describe('Id of the request.') }),
  body: StoreAnswer,
  responses: { 204: { description: 'It is taken, or nobody waits for it any more.', body: null } },
});

@Controller()
export class StoreRequestsController {
  constructor(private readonly requests: StoreRequestsService) {}

  @Get(NODE_ROUTES.storeRequests.path)
  @Endpoint(TakeRequests)
  async take(@Input() { params, query }: InputOf<typeof TakeRequests>, @Res({ passthrough: true }) response: Response): Promise<StoreRequests> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    return { requests: await this.requests.next(params.node, query.wait, gone.signal) };
  }

  @Post(NODE_ROUTES.storeAnswer.path)
  @Endpoint(PostAnswer)
  answer(@Input() { params, body }: InputOf<typeof PostAnswer>): Promise<void> {
    return this.requests.answer(params.node, params.request, body);
  }
}
