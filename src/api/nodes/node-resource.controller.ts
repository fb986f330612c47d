import { Controller, Delete, Get, Post, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf } from '#platform/http/page.js';
import { NodeResourceService, type ShownNode } from './node-resource.service.js';
import { NodeListQuery, NodeParams, NodeRemoval, NodeSummary, NodeView } from './node.schema.js';

const MAX_WAIT_S = 120;
const WaitQuery = z.object({ wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(0).describe('Seconds to wait for the end of the drain.') });
const ofNode = { tag: 'nodes', params: NodeParams } as const;
const changes = { ...ofNode, idempotent: true, conditional: true, errors: ['API_NODE_NOT_FOUND', 'API_NODE_REMOVED', 'API_STATE_CHANGED'] } as const;
const answersNode = { 200: { description: 'The node.', body: NodeView } };

const ListNodes = endpoint({
  summary: 'List the nodes, by name',
  tag: 'nodes',
  query: NodeListQuery,
  responses: { 200: { description: 'One page of nodes.', body: pageOf(NodeSummary) } },
});

const GetNode = endpoint({
  ...ofNode,
  summary: 'Show a node',
  description: 'What it says of itself, what it holds, and how far a drain is. Its ETag goes into If-Match.',
  query: WaitQuery,
  responses: answersNode,
  errors: ['API_NODE_NOT_FOUND'],
});

const CordonNode = endpoint({ ...changes, summary: 'Give a node nothing new', description: 'It keeps what it has. Ends a drain that is under way.', responses: answersNode });

const UncordonNode = endpoint({
  ...changes,
  summary: 'Give a node whatever is placed on it again',
  description: 'After it was cordoned, drained or removed. Ends a drain that is under way.',
  responses: answersNode,
});

const DrainNode = endpoint({
  ...changes,
  summary: 'Move away what a node has',
  description: 'What it has goes to other nodes, and the requests that are under way end. Stays so until it is uncordoned. `drain` says how far it is, and afterwards what became of everything; it is an operation, too.',
  query: WaitQuery,
  responses: { 200: { description: 'The node; the drain is over.', body: NodeView }, 202: { description: 'The node; the drain goes on.', body: NodeView } },
});

const RemoveNode = endpoint({
  ...ofNode,
  conditional: true,
  summary: 'Take a node out of the fleet',
  description: 'One that is drained, stopped or lost. It is told to let go of what it has, and refused after that.',
  query: z.object({ force: z.enum(['true', 'false']).default('false').describe('Whatever is lost with it.') }),
  responses: { 200: { description: 'The node, and what was lost with it.', body: NodeRemoval } },
  errors: ['API_NODE_NOT_FOUND', 'API_NODE_IN_USE', 'API_STATE_CHANGED'],
});

@Controller('v1/nodes')
export class NodeResourceController {
  constructor(private readonly nodes: NodeResourceService) {}

  @Get()
  @Endpoint(ListNodes)
  list(@Input() { query }: InputOf<typeof ListNodes>): Promise<Page<NodeSummary>> {
    return this.nodes.list(query);
  }

  @Get(':node')
  @Endpoint(GetNode)
  async show(@Input() { params, query }: InputOf<typeof GetNode>, @Res({ passthrough: true }) response: Response): Promise<NodeView> {
    return answer(response, await this.nodes.show(params.node, query.wait));
  }

  @Post(':node/cordon')
  @Endpoint(CordonNode)
  async cordon(@Input() { params, ifMatch }: InputOf<typeof CordonNode>, @Req() { principal }: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<NodeView> {
    return answer(response, await this.nodes.want(params.node, 'cordoned', { ifMatch, by: principal!.name }));
  }

  @Post(':node/uncordon')
  @Endpoint(UncordonNode)
  async uncordon(@Input() { params, ifMatch }: InputOf<typeof UncordonNode>, @Req() { principal }: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<NodeView> {
    return answer(response, await this.nodes.want(params.node, 'active', { ifMatch, by: principal!.name }));
  }

  @Post(':node/drain')
  @Endpoint(DrainNode)
  async drain(@Input() { params, query, ifMatch }: InputOf<typeof DrainNode>, @Req() { principal }: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<NodeView> {
    const shown = await this.nodes.want(params.node, 'draining', { ifMatch, by: principal!.name, waitS: query.wait });
    const { drain } = shown.view;
    if (drain && drain.operation !== null) response.location(`/v1/operations/${drain.operation}`);
    if (drain && drain.endedAt === null) response.status(202);
    return answer(response, shown);
  }

  @Delete(':node')
  @Endpoint(RemoveNode)
  remove(@Input() { params, query, ifMatch }: InputOf<typeof RemoveNode>, @Req() { principal }: ApiRequest): Promise<NodeRemoval> {
    return this.nodes.remove(params.node, { ifMatch, force: query.force === 'true', by: principal!.name });
  }
}

function answer(response: Response, { view, etag }: ShownNode): NodeView {
  response.setHeader('ETag', etag);
  return view;
}
