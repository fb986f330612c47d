import { Controller, Get, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { NODE_ROUTES } from '#contract/node-routes.js';
import { RouteChanges, WantedChannel } from '#contract/routes.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { NodeParams } from '../nodes/node.schema.js';
import { RoutesService } from './routes.service.js';

const MAX_WAIT_S = 120;
const ofNodes = { tag: 'nodes', scopes: ['node'], params: NodeParams } as const;

const GetRoutes = endpoint({
  ...ofNodes,
  summary: 'Which nodes have which hosts',
  description: 'For the gateway of a node. Answers at once when there is something newer than `after`, else when there is or the time is up.',
  query: z.object({
    after: z.string().optional().describe('The revision that the gateway holds.'),
    wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(0).describe('Seconds to wait for a change.'),
  }),
  responses: { 200: { description: 'What has changed since `after`, or everything.', body: RouteChanges } },
});

const PostWanted = endpoint({
  ...ofNodes,
  summary: 'That a channel is wanted',
  description: 'Somebody asked the node for a channel that is on no node. It is placed as its settings allow.',
  body: WantedChannel,
  responses: { 204: { description: 'It is known now.', body: null } },
});

@Controller()
export class RoutesController {
  constructor(private readonly routes: RoutesService) {}

  @Get(NODE_ROUTES.routes.path)
  @Endpoint(GetRoutes)
  next(@Input() { query }: InputOf<typeof GetRoutes>, @Res({ passthrough: true }) response: Response): Promise<RouteChanges> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    return this.routes.next({ after: query.after, waitS: query.wait }, gone.signal);
  }

  @Post(NODE_ROUTES.wanted.path)
  @Endpoint(PostWanted)
  want(@Input() { params, body }: InputOf<typeof PostWanted>): Promise<void> {
    return this.routes.want(params.node, body);
  }
}
