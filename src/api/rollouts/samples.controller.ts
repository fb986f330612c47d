import { Controller, Post } from '@nestjs/common';
import { z } from 'zod';
import { NodeName } from '#contract/ids.js';
import { NODE_ROUTES } from '#contract/node-routes.js';
import { NodeSamples } from '#contract/samples.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { SamplesService } from './samples.service.js';

const PostSamples = endpoint({
  summary: 'What became of requests while several versions are served',
  description: 'Once a second. Each report is taken once; sent again it changes nothing.',
  tag: 'nodes',
  scopes: ['node'],
  params: z.object({ node: NodeName.describe('Name of the node.') }),
  body: NodeSamples,
  responses: { 204: { description: 'The report is taken.', body: null } },
});

@Controller()
export class SamplesController {
  constructor(private readonly samples: SamplesService) {}

  @Post(NODE_ROUTES.samples.path)
  @Endpoint(PostSamples)
  take(@Input() { params, body }: InputOf<typeof PostSamples>): Promise<void> {
    return this.samples.take(params.node, body);
  }
}
