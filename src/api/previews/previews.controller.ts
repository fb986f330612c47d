import { Controller, Get, Put } from '@nestjs/common';
import { z } from 'zod';
import { type Engines, UNSAID_ENGINES } from '#contract/assignment.js';
import { AppName, VersionNumber } from '#contract/ids.js';
import { NODE_ROUTES } from '#contract/node-routes.js';
import { PreviewAnswer } from '#contract/preview.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { AppParams } from '../apps/app.schema.js';
import { EnginesQuery, NodeParams } from '../nodes/node.schema.js';
import { PreviewSettings } from './preview.schema.js';
import { PreviewsService } from './previews.service.js';

const GetPreview = endpoint({
  summary: 'What a node needs to answer for one version by itself',
  description: 'With the values that the channel `production` has now.',
  tag: 'nodes',
  scopes: ['node'],
  params: NodeParams.extend({ app: AppName, version: z.coerce.number().pipe(VersionNumber) }),
  query: z.object({ engines: EnginesQuery }),
  responses: { 200: { description: 'An assignment for the preview; null: there is no such version, or its bytes are gone.', body: PreviewAnswer } },
});

const GetSettings = endpoint({
  summary: 'Show whether versions answer by themselves',
  tag: 'channels',
  params: AppParams,
  responses: { 200: { description: 'The settings.', body: PreviewSettings } },
  errors: ['API_APP_NOT_FOUND'],
});

const PutSettings = endpoint({
  summary: 'Set whether versions answer by themselves',
  description: 'On `v<number>--<app>`, for each version whose bytes are there. Nodes take it up within seconds.',
  tag: 'channels',
  params: AppParams,
  body: PreviewSettings,
  conditional: true,
  responses: { 200: { description: 'The settings.', body: PreviewSettings } },
  errors: ['API_APP_NOT_FOUND'],
});

@Controller()
export class PreviewsController {
  constructor(private readonly previews: PreviewsService) {}

  @Get('v1/apps/:app/previews')
  @Endpoint(GetSettings)
  settings(@Input() { params }: InputOf<typeof GetSettings>): Promise<PreviewSettings> {
    return this.previews.settings(params.app);
  }

  @Put('v1/apps/:app/previews')
  @Endpoint(PutSettings)
  set(@Input() { params, body, ifMatch }: InputOf<typeof PutSettings>): Promise<PreviewSettings> {
    return this.previews.set(params.app, body, ifMatch);
  }

  @Get(NODE_ROUTES.preview.path)
  @Endpoint(GetPreview)
  async get(@Input() { params, query }: InputOf<typeof GetPreview>): Promise<PreviewAnswer> {
    const engines: Engines = query.engines?.split(',') ?? UNSAID_ENGINES;
    return { preview: await this.previews.assignment(params.app, params.version, engines) };
  }
}
